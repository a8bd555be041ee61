"""The model card says what the files say."""

import json
import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crossval_fakes import write_run
from emotion.bundle import Provenance
from emotion.errors import BundleError, DataError
from emotion.taxonomy import Emotion, Taxonomy
from fakes import tiny_bundle
from training.config_file import load_config, preset_names
from training.evaluation.card import NAME_ONLY, as_toml, differing, write_card
from training.evaluation.out_of_fold import evaluate_folds, read_run

PLAIN = Taxonomy(name="plain", emotions=tuple(Emotion(name=f"e{i}") for i in range(8)))
ROBUSTNESS = {"change": "grey", "accuracy": 0.5, "same_emotion": 0.75, "moved": 0.25, "kept_neighbours": 0.625}


def _bundle(
    tmp_path: Path, config: dict[str, Any] | None = None, started_from: str | None = None, **changes: Any
) -> Path:
    provenance = Provenance(
        created=datetime(2026, 1, 1, tzinfo=UTC),
        version="0.0.0",
        config={"seed": 0} | (config or {}),
        data="painted",
        n_training_pictures=47,
        started_from=started_from,
    )
    return tiny_bundle(tmp_path / "bundle", provenance=provenance, name="mine", **changes).path


def _card(tmp_path: Path, bundle: Path, **options: Any) -> str:
    write_card(tmp_path / "cards" / "README.md", bundle, tmp_path / "cv", **options)
    return (tmp_path / "cards" / "README.md").read_text(encoding="utf-8")


def test_the_card_holds_the_facts_of_the_bundle_and_the_figures_of_the_folds(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "cv"))
    digests = tuple(s.digest for fold in run.folds for s in fold.scored.samples)
    bundle = _bundle(tmp_path, training_hashes=digests)
    text = _card(tmp_path, bundle)
    assert text.startswith("# Model card: mine\n")
    assert text.endswith("```\n")
    manifest = json.loads((bundle / "bundle.json").read_text())
    for fact in (manifest["model_id"], "For tests only.", "painted: 47 pictures, 2026-01-01", "2 folds, 47 pictures"):
        assert fact in text
    assert "none of them can judge it" in text
    _, pooled = evaluate_folds(run)
    assert re.search(rf"\| Accuracy \| {pooled.classification.accuracy:.3f} \[[\d.]+, [\d.]+\] \|", text)
    ours, theirs = pooled.sv.by_emotion, pooled.probabilities.by_emotion
    assert re.search(rf"\| mAP8 \| {ours.mean_ap:.3f} \[[\d., ]+\] \| {theirs.mean_ap:.3f} \[[\d., ]+\] \|", text)
    assert "| NN | 0.625 ± 0.125 |" in text
    confusion = pooled.classification.confusion
    recall = confusion[0, 0] / confusion[0].sum()
    assert re.search(rf"\| amusement \| {confusion[0].sum()} \| [\d.]+ \| {recall:.3f} \|", text)
    assert "Robustness" not in text
    assert "Against the baseline" not in text


def test_every_line_of_a_table_has_as_many_cells_as_its_head(tmp_path: Path) -> None:
    write_run(tmp_path / "cv")
    (tmp_path / "robustness.json").write_text(json.dumps([ROBUSTNESS]))
    baseline = write_run(tmp_path / "probe", seed=1)
    text = _card(tmp_path, _bundle(tmp_path), robustness=tmp_path / "robustness.json", baseline=baseline)
    assert "| grey | 0.500 | 0.750 | 0.250 | 0.625 |" in text
    assert "| figure | probe | cv | difference | 95 % interval |" in text
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert len(tables) == 8
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1, table


def test_a_model_that_began_as_another_says_so(tmp_path: Path) -> None:
    write_run(tmp_path / "cv")
    text = _card(tmp_path, _bundle(tmp_path, started_from="0123456789abcdef"))
    assert "47 pictures, 2026-01-01, starting from the model `0123456789abcdef` |\n" in text


def test_a_recipe_that_differs_is_told(tmp_path: Path) -> None:
    write_run(tmp_path / "cv", config={"optim": {"lr": 0.5}, "name": "folds"})
    text = _card(tmp_path, _bundle(tmp_path, {"optim": {"lr": 0.25}, "name": "mine"}))
    assert "differs from this model's: `optim.lr` (here 0.25, there 0.5)." in text
    assert differing({"a": {"b": 1}, "name": "x"}, {"a": {"b": 1}, "name": "y", "c": 2}) == []


@pytest.mark.parametrize(
    ("names", "folders", "heads"),
    [
        (("mine", "mine"), ("cv", "probe"), ("probe", "cv")),
        (("mine", "other"), ("cv", "probe"), ("other", "mine")),
        (("mine", "mine"), ("cv", "b/cv"), (".*/b/cv", ".*/cv")),
    ],
)
def test_two_runs_never_have_one_name(
    tmp_path: Path, names: tuple[str, str], folders: tuple[str, str], heads: tuple[str, str]
) -> None:
    for seed, (name, folder) in enumerate(zip(names, folders, strict=True)):
        write_run(tmp_path / folder, seed=seed, config={"name": name})
    text = _card(tmp_path, _bundle(tmp_path), baseline=tmp_path / folders[1])
    assert re.search(rf"\| figure \| {heads[0]} \| {heads[1]} \| difference", text)


def test_settings_that_change_no_recipe_are_settings() -> None:
    config = load_config("default").model_dump(mode="json")
    for name in NAME_ONLY:
        *sections, key = name.split(".")
        assert key in (config[sections[0]] if sections else config), name
    other = load_config("default", ["data.n_workers=3", "data.cache_mb=1", "loop.cache_views_gb=1", "name=x"])
    assert differing(config, other.model_dump(mode="json")) == []


@pytest.mark.parametrize("name", preset_names())
def test_the_recipe_in_the_card_is_read_as_it_was(tmp_path: Path, name: str) -> None:
    config = load_config(name, ['terms="über "', "network.dropout=0.25"])
    path = tmp_path / "recipe.toml"
    path.write_text(as_toml(config.model_dump(mode="json")), encoding="utf-8")
    assert load_config(str(path)) == config
    assert tomllib.loads(as_toml({"a": None, "b": {"c": {"d": [1, "x|y"]}}})) == {"b": {"c": {"d": [1, "x|y"]}}}


def test_files_that_do_not_belong_are_refused(tmp_path: Path) -> None:
    write_run(tmp_path / "cv", taxonomy=PLAIN)
    with pytest.raises(DataError, match="of other labels"):
        _card(tmp_path, _bundle(tmp_path))
    bundle = _bundle(tmp_path, taxonomy=PLAIN)
    (tmp_path / "robustness.json").write_text('[{"change": "grey"}]')
    with pytest.raises(DataError, match=r"no robustness\.json"):
        _card(tmp_path, bundle, robustness=tmp_path / "robustness.json")
    with pytest.raises(BundleError):
        _card(tmp_path, tmp_path / "none")
    assert "Polarity accuracy" not in _card(tmp_path, bundle)
