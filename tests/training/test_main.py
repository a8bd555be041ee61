"""The command line of the trainer, as a user meets it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from demo.paint import paint_gallery
from emotion.bundle import load_bundle, with_manifest
from emotion.errors import ConfigError, DataError
from fakes import write_gallery
from index.store import SnapshotStore
from training.__main__ import app

EMOTIONS = ("awe", "contentment", "fear", "sadness")
TINY = [
    "network.backbone=test_efficientnet",
    "network.pretrained=false",
    "preprocess.size_px=32",
    "data.batch_size=32",
    "loop.epochs=1",
    "loop.patience=0",
]
FIGURES = ("accuracy", "accuracy_polarity", "mAP8", "mAP2", "NN", "FT", "ST", "DCG", "ANMRR")


def _run(*arguments: str | Path) -> dict[str, Any]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def _sets(*overrides: str) -> list[str]:
    return [word for override in (*TINY, *overrides) for word in ("--set", override)]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    write_gallery(tmp_path / "photos", 48, EMOTIONS)
    return tmp_path / "photos"


def test_fit_writes_bundle_metrics_report_and_index(tmp_path: Path, photos: Path) -> None:
    run, store = tmp_path / "run", tmp_path / "store"
    figures = _run("fit", "--data", photos, "--out", run, "--gallery", photos, "--store", store, *_sets())
    assert set(FIGURES) <= set(figures)
    assert json.loads((run / "metrics.json").read_text())["validation"] == figures
    assert load_bundle(run / "bundle").manifest.metrics["validation"] == figures
    assert "<html" in (run / "report.html").read_text()
    snapshot = SnapshotStore(store).load()
    assert snapshot.manifest.count == 48
    assert snapshot.manifest.model_id == figures["model_id"]
    with pytest.raises(ConfigError, match="add --resume"):
        _run("fit", "--data", photos, "--out", run, *_sets())


def test_evaluate_prints_one_object_and_leaves_training_pictures_out(
    tmp_path: Path, shipped_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paint_gallery(tmp_path / "painted", 24)
    figures = _run("evaluate", "--bundle", shipped_bundle, "--data", tmp_path / "painted", "--out", tmp_path / "out")
    assert set(FIGURES) <= set(figures)
    assert figures["n_queries"] == 24
    assert figures["protocol"] == "leave-one-out"
    assert json.loads((tmp_path / "out" / "metrics.json").read_text()) == figures


def test_evaluate_refuses_pictures_it_was_all_trained_on(tmp_path: Path, shipped_bundle: Path) -> None:
    import shutil

    from training.data.samples import read_samples

    paint_gallery(tmp_path / "painted", 8)
    shutil.copytree(shipped_bundle, tmp_path / "bundle")
    bundle = load_bundle(tmp_path / "bundle")
    digests = tuple(s.digest for s in read_samples(tmp_path / "painted", bundle.manifest.taxonomy).samples)
    with_manifest(bundle, training_hashes=digests)
    with pytest.raises(DataError, match="--keep-training-pictures"):
        _run("evaluate", "--bundle", bundle.path, "--data", tmp_path / "painted", "--out", tmp_path / "out")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_crossval_reports_both_settings_and_keeps_done_folds(tmp_path: Path, photos: Path) -> None:
    arguments = ["crossval", "--data", photos, "--out", tmp_path / "cv", "--n-folds", "2", *_sets()]
    arguments += ["--set", "data.validation_fraction=0", "--set", "temperature=1.3"]
    summary = _run(*arguments)
    assert set(summary["mean"]) == {"unseen_gallery", "paper_protocol"}
    assert summary["calibration"]["temperature"] > 0
    assert json.loads((tmp_path / "cv" / "fold0" / "bundle" / "bundle.json").read_text())["temperature"] == 1.3
    stamps = [path.stat().st_mtime_ns for path in sorted((tmp_path / "cv").glob("fold*/result.json"))]
    assert len(stamps) == 2
    assert _run(*arguments) == summary
    assert stamps == [path.stat().st_mtime_ns for path in sorted((tmp_path / "cv").glob("fold*/result.json"))]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--gallery", "x"], "go together"),
        (["--config", "nothing"], "presets: default"),
        (["--set", "loss.ww=1"], r"did you mean 'loss\.w'"),
    ],
)
def test_wrong_arguments_are_named_before_anything_is_read(tmp_path: Path, arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _run("fit", "--data", tmp_path / "none", "--out", tmp_path / "run", *arguments)
