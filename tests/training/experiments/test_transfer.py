"""What takes part, which recipes the rows follow, and one fold of the whole study on painted pictures."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import save_file

from emotion.bundle import Bundle, Provenance
from emotion.errors import ConfigError, DataError
from emotion.network.net import EmotionNet
from emotion.network.spec import EmbeddingKind, NetworkSpec
from emotion.predictor import Predictor
from emotion.preprocess import PreprocessSpec
from emotion.runtime import Device
from emotion.taxonomy import MIKELS, read_taxonomy
from fakes import FakeRuntime, tiny_bundle, write_gallery
from study_fakes import made_up_samples
from training.config import Init
from training.config_file import load_config
from training.data.samples import Sample, read_samples
from training.experiments import transfer
from training.experiments.budget import Budget
from training.experiments.rows import NotRun, Row
from training.experiments.trained import TrainedMethod, config_of
from training.experiments.transfer import BASE, AsItIs, Recipes, choose, make_rows, run
from training.run import fit

SIX = read_taxonomy("emotion6")


def _bundle(path: Path, *overrides: str, **changes: Any) -> Bundle:
    """As `fit` records how it was trained."""
    config = load_config("default", list(overrides)).model_dump(mode="json")
    tiny = tiny_bundle(path / "tiny").manifest.provenance
    provenance = Provenance.model_validate(tiny.model_dump() | {"config": config})
    spec = load_config("default", list(overrides)).network.spec()
    fields = {"network": spec, "familiarity": None, "preprocess": PreprocessSpec(), "provenance": provenance}
    return tiny_bundle(path / "bundle", **(fields | changes))


def _recipes(bundle: Bundle, taxonomy: str = "mikels", setting: Budget = Budget.QUICK) -> Recipes:
    return Recipes.of(bundle, taxonomy, setting, None, Device.CPU)


def _samples(counts: dict[str, int]) -> list[Sample]:
    named = [(MIKELS.index(name), f"{name}-{place}") for name, count in counts.items() for place in range(count)]
    return [Sample(Path(name), label, name) for label, name in named]


def test_emotions_that_are_too_rare_for_the_folds_are_only_searched() -> None:
    pictures = choose(_samples({"awe": 30, "fear": 10, "anger": 9, "disgust": 1}), MIKELS, None)
    assert Counter(MIKELS.names[s.label] for s in pictures.asked) == {"awe": 30, "fear": 10}
    assert pictures.rare == {"anger": 9, "disgust": 1}
    assert len(pictures.searched) == 10
    with pytest.raises(DataError, match="two such emotions; there are 9 anger and 30 of one"):
        choose(_samples({"awe": 30, "anger": 9}), MIKELS, None)


def test_a_sample_is_the_same_each_time_and_bounded() -> None:
    samples = made_up_samples(30)
    one, other = choose(samples, MIKELS, 12), choose(samples[::-1], MIKELS, 12)
    assert [s.digest for s in one.asked] == [s.digest for s in other.asked]
    assert set(Counter(s.label for s in one.asked).values()) == {12}
    assert {s.digest for s in choose(samples, MIKELS, 20).asked} > {s.digest for s in one.asked}


def test_fine_tuning_follows_the_bundles_own_recipe(tmp_path: Path) -> None:
    recipe = ("optim.lr=0.007", "loss.w=0.3", "data.batch_size=48", "loop.patience=4", "seed=3", "loop.epochs=20")
    recipes = _recipes(_bundle(tmp_path, *recipe))
    for config in (recipes.tuned(from_bundle=True), recipes.tuned(from_bundle=False)):
        assert (config.optim.lr, config.loss.w, config.data.batch_size, config.seed) == (0.007, 0.3, 48, 3)
        assert (config.loop.epochs, config.loop.patience, config.data.validation_fraction) == (8, 0, 0)
        assert config.preprocess.size_px == 160
        assert config.loop.finetuned_share == 0.5
    full = _recipes(_bundle(tmp_path / "full", *recipe), setting=Budget.FULL).tuned(from_bundle=True)
    assert (full.loop.epochs, full.preprocess.size_px) == (20, 224)


@pytest.mark.parametrize(("taxonomy", "head_init"), [("mikels", Init.BUNDLE), ("emotion6", Init.PROBE)])
def test_each_row_starts_where_it_says(tmp_path: Path, taxonomy: str, head_init: Init) -> None:
    bundle = _bundle(tmp_path, "network.probe_views=3")
    recipes = _recipes(bundle, taxonomy)
    tuned, frozen = recipes.tuned(from_bundle=True).network, recipes.untrained(from_bundle=True).network
    assert tuned.start == frozen.start == bundle.path
    assert (tuned.head_init, tuned.sv_init) == (head_init, Init.BUNDLE)
    assert (frozen.head_init, frozen.sv_init, frozen.freeze_trunk) == (Init.PROBE, Init.PROBE, True)
    from_imagenet = recipes.tuned(from_bundle=False).network
    assert (from_imagenet.start, from_imagenet.pretrained, from_imagenet.head_init) == (None, True, Init.PROBE)
    assert recipes.untrained(from_bundle=False).loop.epochs == 0


def test_a_successor_of_another_bundle_has_a_row_from_imagenet_too(tmp_path: Path) -> None:
    first = _bundle(tmp_path / "first")
    second = _bundle(tmp_path / "second", f"network.start={first.path}")
    network = _recipes(second).tuned(from_bundle=False).network
    assert (network.start, network.head_init, network.sv_init) == (None, Init.PROBE, Init.PROBE)


def test_fine_tuned_rows_are_repeated_from_other_seeds(tmp_path: Path) -> None:
    rows = {row.key: row for row in make_rows(_recipes(_bundle(tmp_path)), MIKELS, tuple(_samples({"fear": 1})), 3)}
    assert {key: len(row.repeats) for key, row in rows.items() if row.repeats} == {"bundle-tuned": 2, BASE: 2}
    methods = [rows[BASE].method, *rows[BASE].repeats]
    assert all(isinstance(method, TrainedMethod) and len(method.searched) == 1 for method in methods)
    assert [config_of(Row("", "", method)).seed for method in methods] == [0, 1, 2]


def test_an_fc_embedding_is_kept_or_random(tmp_path: Path) -> None:
    recipes = _recipes(_bundle(tmp_path, "network.embedding=fc", "network.sv_init=random"))
    assert recipes.bundle.manifest.network.embedding is EmbeddingKind.FC
    assert recipes.untrained(from_bundle=True).network.sv_init is Init.BUNDLE
    assert recipes.untrained(from_bundle=False).network.sv_init is Init.RANDOM


def test_without_imagenet_weights_two_rows_say_where_they_go(tmp_path: Path) -> None:
    bundle = _bundle(tmp_path, "network.backbone=test_efficientnet", "network.pretrained=false")
    rows = {row.key: row.method for row in make_rows(_recipes(bundle), MIKELS, ())}
    assert list(rows) == ["bundle", "bundle-probe", "bundle-tuned", BASE, "imagenet-probe"]
    for key in (BASE, "imagenet-probe"):
        method = rows[key]
        assert isinstance(method, NotRun)
        assert "no ImageNet weights of test_efficientnet at hand; --weights FILE" in method.reason
    lost = Recipes.of(bundle, "mikels", Budget.QUICK, tmp_path / "lost.pth", Device.CPU)
    assert "lost.pth is not there; --weights FILE" in str(lost.imagenet_failure())


@pytest.mark.parametrize(
    ("config", "message"),
    [({"seed": 0}, "does not say how it was trained"), ({"network": {}, "loop": {"epochs": 0}}, "was not trained")],
)
def test_a_bundle_without_a_recipe_is_refused(tmp_path: Path, config: dict[str, Any], message: str) -> None:
    provenance = _bundle(tmp_path).manifest.provenance.model_copy(update={"config": config})
    with pytest.raises(ConfigError, match=message):
        _recipes(_bundle(tmp_path / "bare", provenance=provenance))


def test_a_bundle_of_other_emotions_has_no_probabilities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_gallery(tmp_path / "gallery", 6, ("fear", "joy"))
    samples = read_samples(tmp_path / "gallery", SIX).samples
    monkeypatch.setattr(transfer, "open_judge", lambda bundle, _: Predictor(bundle, FakeRuntime()))
    bundle = tiny_bundle(tmp_path / "bundle")
    test, gallery = AsItIs(bundle, SIX, tuple(samples[:1]), Device.CPU).score_fold(samples[1:4], samples[4:], tmp_path)
    assert np.isnan(test.probs).all()
    assert test.probs.shape == (2, 6)
    assert np.isfinite(test.embeddings).all()
    assert {s.digest for s in gallery.samples} == {s.digest for s in samples[:4]}
    own = AsItIs(bundle, MIKELS, (), Device.CPU).score_fold(samples[1:4], samples[4:], tmp_path)
    assert np.isfinite(own.test.probs).all()


@pytest.mark.slow
def test_one_fold_of_every_row_and_the_same_command_does_nothing_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = ["network.backbone=test_efficientnet", "preprocess.size_px=32", "data.batch_size=8", "data.min_per_class=2"]
    weights = tmp_path / "imagenet.safetensors"
    save_file(EmotionNet(NetworkSpec(backbone="test_efficientnet"), 8).backbone.body.state_dict(), weights)
    write_gallery(tmp_path / "large", 16, ("awe", "fear"))
    large = read_samples(tmp_path / "large", MIKELS).samples
    brief = ["loop.epochs=1", "loop.patience=0", "data.validation_fraction=0", "network.familiarity_rank=0"]
    config = load_config("default", [*tiny, *brief, f"network.weights={weights}"])
    bundle, _, _ = fit(config, large, tmp_path / "fit", data_name="large")
    write_gallery(tmp_path / "small", 44, ("anger", "joy"))  # the first 16 are those that trained the bundle
    (tmp_path / "small" / "fear").mkdir()
    for place, path in enumerate(sorted((tmp_path / "small" / "joy").iterdir())[-3:]):
        path.rename(tmp_path / "small" / "fear" / f"{place}.png")
    monkeypatch.setattr(transfer, "QUICK_EPOCHS", 1)
    out = tmp_path / "out"
    text = run(bundle.path, tmp_path / "small", out, taxonomy="emotion6", numbers=[0])
    assert "16 pictures trained the bundle and are left out" in text
    assert "too few for five folds: fear (3)" in text
    table = {row["key"]: row for row in json.loads((out / "transfer.json").read_text())["rows"]}
    assert [row["status"] for row in table.values()] == ["done"] * 5
    assert "accuracy" not in table["bundle"]["leave_one_out"]
    assert "accuracy" in table["bundle-tuned"]["leave_one_out"]
    assert table["bundle"]["leave_one_out"].keys() >= {"mAP8", "mAP2", "NN", "FT", "ST", "DCG", "ANMRR"}
    capsys.readouterr()
    assert run(bundle.path, tmp_path / "small", out, taxonomy="emotion6", numbers=[0]) == text
    assert "5 of 5 row folds are done already" in capsys.readouterr().err
