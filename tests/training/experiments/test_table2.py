"""The rows of Table 2: the paper's order and figures, what is not run and why, and the command on tiny pictures."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from emotion.errors import ConfigError, DataError
from emotion.network.spec import LITE0
from emotion.taxonomy import MIKELS
from textures import write_textures
from training.__main__ import app
from training.data.samples import Sample, read_samples
from training.evaluation.outcome import ORDER as ORDER_OF_FIGURES
from training.experiments import classical, table1
from training.experiments.budget import Budget
from training.experiments.choice import choose_rows
from training.experiments.feature_svm import FeatureSvm, Searched
from training.experiments.frozen import FrozenFeatures
from training.experiments.rows import NotRun, Row
from training.experiments.table2 import BASE, FIGURES, GOOGLENET, NO_FILES, PAPER, Files, Table2
from training.experiments.trained import TrainedMethod, config_of

ORDER = ["sift", "hog", "gabor", "sentibank", "deep_sentibank", "imagenet", "alexnet", "vgg"]
TUNED = ["softmax", "triplet", "triplet_semi_hard", "sentiment_sv"]
FILE = Path("weights.safetensors")


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    return read_samples(write_textures(tmp_path / "photos", 5), MIKELS).samples


def _rows(table: Table2, samples: list[Sample] | None = None) -> dict[str, Row]:
    return {row.key: row for row in table.rows(MIKELS, samples or [])}


def _reason(row: Row) -> str:
    assert isinstance(row.method, NotRun)
    return row.method.reason


def test_the_rows_come_in_the_papers_order_then_those_of_the_backbone() -> None:
    rows = _rows(Table2(Budget.QUICK))
    papers = [f"googlenet_{key}" if key == "imagenet" else key for key in ORDER]
    assert list(rows) == [*papers, *(f"googlenet_{key}" for key in TUNED), "imagenet", *TUNED, "ours"]
    run = [key for key, row in rows.items() if not isinstance(row.method, NotRun)]
    assert run == ["sift", "hog", "gabor", "imagenet", *TUNED, "ours"]


def test_the_papers_figures_are_those_of_table_1_where_both_print_them() -> None:
    """But of the triplet row, for which the paper prints two retrieval figures."""
    in_table1 = {spec.key: spec.source for spec in table1.SPECS}
    for key, row in _rows(Table2(Budget.QUICK)).items():
        assert set(row.source) == (set() if key == "ours" else set(FIGURES))
        if key in TUNED:
            first = tuple(row.source[name] for name in ("accuracy", "mAP8", "mAP2"))
            assert first == in_table1[key] or (key == "triplet" and first[0] == in_table1[key][0])
    for name, place in {"ST": 4, "FT": 3}.items():
        assert FIGURES[place] == name
    assert all(row[4] > row[3] for row in PAPER.values()), "a second tier holds the first"


@pytest.mark.parametrize("budget", list(Budget))
def test_fine_tuned_rows_are_those_of_table_1(budget: Budget) -> None:
    """So that one folder serves both commands."""
    rows = _rows(Table2(budget))
    for row in table1.make_rows(budget, backbone=LITE0):
        if row.key in rows:
            assert rows[row.key].method == row.method
            assert rows[row.key].repeats == row.repeats
    assert Table2(budget).base == config_of(rows[BASE])


def test_given_files_bring_their_networks() -> None:
    rows = _rows(Table2(Budget.QUICK, files=Files(alexnet=FILE, vgg=FILE, googlenet=FILE)))
    networks = {"alexnet": "alexnet", "vgg": "vgg16"} | {f"googlenet_{key}": GOOGLENET for key in TUNED}
    for key, backbone in networks.items():
        method = rows[key].method
        assert isinstance(method, TrainedMethod)
        assert (method.config.network.backbone, method.config.network.weights) == (backbone, FILE)
    frozen = rows["googlenet_imagenet"].method
    assert isinstance(frozen, FeatureSvm)
    assert frozen.searched is Searched.REDUCED
    assert frozen.features.settings["backbone"] == GOOGLENET
    assert not any(rows[key].source for key in ("imagenet", *TUNED))
    assert rows["googlenet_softmax"].source["mAP8"] == 0.3583


@pytest.mark.parametrize("table", [Table2(Budget.QUICK, GOOGLENET, FILE), Table2(Budget.QUICK, GOOGLENET)], ids=str)
def test_googlenet_as_the_backbone_is_there_once(table: Table2) -> None:
    rows = _rows(table)
    assert list(rows) == [*ORDER, *TUNED]
    assert isinstance(rows[BASE].method, NotRun) == (table.weights is None)
    assert rows[BASE].source["mAP8"] == 0.3583


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("sentibank", ["--sentibank FILE", "1200 numbers"]),
        ("deep_sentibank", ["--deep-sentibank FILE", "2089 numbers"]),
        ("alexnet", ["--alexnet-weights FILE", "alexnet"]),
        ("vgg", ["--vgg-weights FILE", "vgg16"]),
        ("googlenet_imagenet", ["--googlenet-weights FILE", "bvlc"]),
        ("googlenet_triplet", ["--googlenet-weights FILE", "bvlc"]),
    ],
)
def test_what_is_not_run_says_what_it_needs(key: str, words: list[str]) -> None:
    reason = _reason(_rows(Table2(Budget.QUICK))[key])
    assert [word for word in words if word not in reason] == []


def test_without_the_extra_the_descriptors_are_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classical, "LIBRARIES", {"no_such_module": "scikit-image"})
    rows = _rows(Table2(Budget.QUICK))
    for key in ("sift", "hog", "gabor"):
        assert "scikit-image, of the extra `experiments`" in _reason(rows[key])


def test_precomputed_features_are_read_before_anything_is_run(samples: list[Sample], tmp_path: Path) -> None:
    digests = np.array([sample.digest for sample in samples])
    good, short = tmp_path / "sentibank.npz", tmp_path / "short.npz"
    np.savez(good, sha256=digests, features=np.random.default_rng(0).normal(size=(len(samples), 1200)))
    np.savez(short, sha256=digests[1:], features=np.zeros((len(samples) - 1, 1200)))
    table = Table2(Budget.QUICK, files=Files(sentibank=good))
    assert isinstance(_rows(table, samples)["sentibank"].method, FeatureSvm)
    with pytest.raises(DataError, match=f"{short} lacks 1 of 20 pictures"):
        _rows(Table2(Budget.QUICK, files=Files(sentibank=short)), samples)
    with pytest.raises(DataError, match="expected are 2089 for each"):
        _rows(Table2(Budget.QUICK, files=Files(deep_sentibank=good)), samples)


def test_what_is_set_counts_for_untouched_networks_too() -> None:
    table = Table2(Budget.QUICK, sets=("preprocess.size_px=96", "network.pretrained=false"))
    method = _rows(table)["imagenet"].method
    assert isinstance(method, FeatureSvm)
    assert isinstance(method.features, FrozenFeatures)
    assert method.features.config.preprocess.size_px == 96
    assert not method.features.config.network.pretrained


def test_rows_are_chosen_by_key() -> None:
    table = Table2(Budget.QUICK, files=NO_FILES)
    rows = table.rows(MIKELS, [])
    study, chosen = choose_rows(table.study(), rows, "triplet, hog,softmax")
    assert ([row.key for row in chosen], study.base) == (["hog", "softmax", "triplet"], "softmax")
    study, chosen = choose_rows(table.study(), rows, "gabor,hog")
    assert ([row.key for row in chosen], study.base) == (["hog", "gabor"], "hog")
    study, chosen = choose_rows(table.study(), rows, "sentibank,imagenet")  # no file of SentiBank's: it is not run
    assert ([row.key for row in chosen], study.base) == (["sentibank", "imagenet"], "imagenet")
    assert choose_rows(table.study(), rows, None) == (table.study(), rows)


@pytest.mark.parametrize(
    ("wanted", "message"), [("hog,gabour", "no row 'gabour'; did you mean 'gabor'"), (" , ", "names no row; there are")]
)
def test_unknown_rows_are_named(wanted: str, message: str) -> None:
    table = Table2(Budget.QUICK)
    with pytest.raises(ConfigError, match=message):
        choose_rows(table.study(), table.rows(MIKELS, []), wanted)


def test_the_command_writes_the_table_and_runs_nothing_twice(tmp_path: Path) -> None:
    """Random weights see textures, too; a row without its file says so."""
    sets = ["preprocess.size_px=32", "network.pretrained=false", "loop.device=cpu"]
    arguments = ["experiment", "table2", "--data", str(write_textures(tmp_path / "photos", 10))]
    arguments += ["--out", str(tmp_path / "out"), "--backbone", "test_efficientnet", "--rows", "hog,sentibank,imagenet"]
    arguments += [word for item in sets for word in ("--set", item)]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    table: dict[str, Any] = json.loads((tmp_path / "out" / "table2.json").read_text())
    rows = {row["key"]: row for row in table["rows"]}
    assert [rows[key]["status"] for key in ("hog", "imagenet")] == ["done", "done"]
    assert rows["sentibank"]["status"].startswith("not run: needs --sentibank FILE")
    assert rows["hog"]["paper_protocol"]["accuracy"]["value"] > 0.5
    text = (tmp_path / "out" / "table2.md").read_text()
    assert text in result.stdout
    assert f"| row | {' | '.join(sorted(FIGURES, key=ORDER_OF_FIGURES.index))} |" in text
    again = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert "2 of 2 row folds are done already" in again.stderr
    assert json.loads((tmp_path / "out" / "table2.json").read_text()) == table


def test_the_command_names_an_unknown_setting_before_the_pictures_are_read(tmp_path: Path) -> None:
    words = ["experiment", "table2", "--data", str(tmp_path / "none"), "--out", str(tmp_path / "out")]
    with pytest.raises(ConfigError, match=r"unknown key 'loop\.epoch'"):
        CliRunner().invoke(app, [*words, "--set", "loop.epoch=3"], catch_exceptions=False)
    assert not (tmp_path / "out").exists()
