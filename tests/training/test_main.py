"""The command line of the trainer, as a user meets it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from crossval_fakes import write_run
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
    result = CliRunner().invoke(app, [str(one) for one in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def _familiarity(bundle: Path, photos: Path, *more: str) -> str:
    arguments = ["familiarity", "--bundle", str(bundle), "--data", str(photos), "--others", str(photos), *more]
    return CliRunner().invoke(app, arguments, catch_exceptions=False).stdout


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
    assert 0 <= figures["familiarity"] <= 1
    assert "<html" in (run / "report.html").read_text()
    snapshot = SnapshotStore(store).load()
    assert snapshot.manifest.count == 48
    assert snapshot.manifest.model_id == figures["model_id"]
    with pytest.raises(ConfigError, match="add --resume"):
        _run("fit", "--data", photos, "--out", run, *_sets())
    table, as_json = (_familiarity(run / "bundle", photos, *words) for words in ([], ["--json"]))
    kinds = [row["kind"] for row in json.loads(as_json)]
    assert kinds[0] == "held-out pictures"
    assert kinds[-1] == "photos"
    assert all(f"| {kind} |" in table for kind in kinds)


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


def test_evaluate_reads_a_gallery_that_lies_otherwise_than_the_queries(tmp_path: Path, shipped_bundle: Path) -> None:
    """Its layout fits two, and it has no such label column."""
    queries, gallery = tmp_path / "queries", tmp_path / "gallery"
    paint_gallery(gallery, 40)
    paint_gallery(queries, 16)
    rows = "".join(f"{p.relative_to(queries)},{p.parent.name}\n" for p in sorted(queries.rglob("*.*")) if p.is_file())
    (queries / "manifest.csv").write_text(f"path,mood\n{rows}")
    (gallery / "votes.csv").write_text("file,awe,fear\nnone.png,1,0\n")
    arguments = ["evaluate", "--bundle", shipped_bundle, "--data", queries, "--label-column", "mood"]
    arguments += ["--gallery", gallery, "--out", tmp_path / "out"]
    with pytest.raises(DataError, match="may have layout folders or votes"):
        _run(*arguments)
    assert "against a gallery" in _run(*arguments, "--gallery-layout", "folders")["protocol"]


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


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_recipe_is_compared_with_the_probe_and_gets_a_card(tmp_path: Path, photos: Path) -> None:
    for preset, more in (("probe", ("loop.epochs=0",)), ("frozen", ())):
        sets = _sets("data.validation_fraction=0", *more)
        _run("crossval", "--config", preset, "--data", photos, "--out", tmp_path / preset, "--n-folds", "2", *sets)
        text = (tmp_path / preset / "report.html").read_text()
        assert "cross-validation report" in text
        assert "cannot be read" not in text
    found = _run("compare", tmp_path / "probe", tmp_path / "frozen", "--json")
    assert found["baseline"] == str(tmp_path / "probe")
    figures = {row["figure"]: row for row in found["compared"][0]["figures"]}
    assert set(FIGURES) <= set(figures)
    bundle = tmp_path / "frozen" / "fold0" / "bundle"
    arguments = ["card", "--bundle", bundle, "--crossval", tmp_path / "frozen", "--baseline", tmp_path / "probe"]
    assert CliRunner().invoke(app, [str(a) for a in arguments]).exit_code == 0
    assert "## Recipe" in (bundle / "README.md").read_text()
    load_bundle(bundle)


def test_compare_prints_a_table_for_each_run_against_the_first(tmp_path: Path) -> None:
    runs = [str(write_run(tmp_path / name, seed=seed)) for seed, name in enumerate(("a", "b", "c"))]
    result = CliRunner().invoke(app, ["compare", *runs], catch_exceptions=False)
    heads = [line for line in result.stdout.splitlines() if line.startswith("| figure")]
    assert heads == [f"| figure | {runs[0]} | {other} | difference | 95 % interval |  |" for other in runs[1:]]
    with pytest.raises(ConfigError, match="two outputs"):
        _run("compare", runs[0])
    write_run(tmp_path / "d", n_folds=3)
    with pytest.raises(DataError, match="run crossval on the same"):
        _run("compare", *runs, tmp_path / "d", "--json")


def test_card_goes_into_the_bundle_or_where_it_is_told(tmp_path: Path, shipped_bundle: Path) -> None:
    run = write_run(tmp_path / "cv")
    out = tmp_path / "card.md"
    arguments = ["card", "--bundle", str(shipped_bundle), "--crossval", str(run), "--out", str(out)]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert load_bundle(shipped_bundle).model_id in out.read_text()
    assert "card.md" in result.stderr


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        ("0,0", "names a fold twice"),
        ("5", "from 0 to 4, not '5'"),
        ("0,", "not ''"),
        ("x", "not 'x'"),
        ("²", "not '²'"),
    ],
)
def test_wrong_folds_are_named_before_anything_is_read(tmp_path: Path, folds: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _run("crossval", "--data", tmp_path / "none", "--out", tmp_path / "run", "--folds", folds)


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
