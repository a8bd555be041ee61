"""Cross-validation over folds that are done already: what is summed up, and what damage is said."""

import json
from pathlib import Path
from typing import Any

import pytest

from crossval_fakes import scored_fold, write_run
from emotion.errors import ConfigError, DataError
from emotion.taxonomy import MIKELS
from training.config import TrainingConfig
from training.crossval import cross_validate
from training.data.samples import Sample
from training.data.splits import load_or_make_folds
from training.evaluation.out_of_fold import PREDICTIONS, RESULT, fold_folder, read_run, save_predictions
from training.run import data_digest

CONFIG = TrainingConfig()
LABELS = tuple(range(8)) * 2


class DoneRun:
    """A run of three folds with all that `crossval` looks at before it takes a fold as done."""

    def __init__(self, out: Path) -> None:
        self.out = write_run(out, n_folds=3, labels=LABELS)
        parts = [list(LABELS), list(LABELS), list(LABELS[:-1])]
        scored = [scored_fold(part, MIKELS, f"fold{number}", 0.5, number) for number, part in enumerate(parts)]
        self.folds = {sample.digest: number for number, part in enumerate(scored) for sample in part.samples}
        self.samples = [sample for part in scored for sample in part.samples]
        for number in range(3):
            self.write_result(number)

    def write_result(self, number: int, config: TrainingConfig = CONFIG, **figures: float | None) -> None:
        train, test = self.parts(number)
        result = {
            "fold": number,
            "config": config.model_dump(mode="json"),
            "data": data_digest(train, test),
            "unseen_gallery": {"mAP8": 0.25 * (number + 1), "n_queries": 16} | figures,
            "paper_protocol": {"mAP8": 0.5},
        }
        (fold_folder(self.out, number) / RESULT).write_text(json.dumps(result))

    def parts(self, number: int) -> tuple[list[Sample], list[Sample]]:
        mine = [sample for sample in self.samples if self.folds[sample.digest] == number]
        return [sample for sample in self.samples if sample not in mine], mine

    def cross_validate(self, only: list[int] | None = None) -> dict[str, Any]:
        return cross_validate(CONFIG, self.samples, self.folds, self.out, data_name="painted", only=only)


@pytest.fixture
def done(tmp_path: Path) -> DoneRun:
    return DoneRun(tmp_path / "cv")


def test_one_fold_more_leaves_the_others_in_the_summary(done: DoneRun) -> None:
    summary = done.cross_validate(only=[2])
    assert [result["fold"] for result in summary["folds"]] == [0, 1, 2]
    assert summary["mean"]["unseen_gallery"] == {"mAP8": 0.5}
    assert summary["sd"]["unseen_gallery"] == {"mAP8": 0.25}
    assert [fold.number for fold in read_run(done.out).folds] == [0, 1, 2]
    assert json.loads((done.out / "crossval.json").read_text()) == summary
    assert "3 folds" in (done.out / "report.html").read_text(encoding="utf-8")


def test_a_fold_that_is_not_done_is_not_in_the_summary(done: DoneRun) -> None:
    (fold_folder(done.out, 1) / RESULT).unlink()
    assert [result["fold"] for result in done.cross_validate(only=[2])["folds"]] == [0, 2]


def test_a_fold_of_another_recipe_is_refused_where_asked_for_else_left_out(
    done: DoneRun, capsys: pytest.CaptureFixture[str]
) -> None:
    done.write_result(1, CONFIG.model_copy(update={"seed": 7}))
    assert [result["fold"] for result in done.cross_validate(only=[0])["folds"]] == [0, 2]
    assert "fold 1: " in capsys.readouterr().err
    with pytest.raises(ConfigError, match="another configuration"):
        done.cross_validate()


def test_a_figure_is_averaged_over_the_folds_that_could_measure_it(done: DoneRun) -> None:
    table: dict[str, tuple[float | None, ...]] = {
        "first": (None, 0.25, 0.75),
        "later": (0.25, None, 0.75),
        "once": (None, None, 0.125),
        "never": (None, None, None),
    }
    for number in range(3):
        done.write_result(number, **{name: values[number] for name, values in table.items()})
    summary = done.cross_validate()
    mean, sd = (summary[part]["unseen_gallery"] for part in ("mean", "sd"))
    assert mean == {"mAP8": 0.5, "first": 0.5, "later": 0.5, "once": 0.125}
    assert sd == {"mAP8": 0.25, "first": 0.35355, "later": 0.35355, "once": 0.0}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"fold": 1}', b"\xff\xfe"])
def test_a_damaged_result_is_named_with_what_to_do(done: DoneRun, content: bytes) -> None:
    (fold_folder(done.out, 1) / RESULT).write_bytes(content)
    for only in (None, [0]):
        with pytest.raises(DataError, match=r"fold1/result\.json .*delete it"):
            done.cross_validate(only)


@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "no archive", "flipped"])
def test_damaged_predictions_are_named_with_the_file_to_delete(done: DoneRun, damage: str) -> None:
    path = fold_folder(done.out, 1) / PREDICTIONS
    whole = path.read_bytes()
    middle = len(whole) // 2
    match damage:
        case "missing":
            path.unlink()
        case "empty":
            path.write_bytes(b"")
        case "truncated":
            path.write_bytes(whole[:middle])
        case "no archive":
            path.write_bytes(b"no archive")
        case "flipped":
            path.write_bytes(whole[:200] + bytes(255 - byte for byte in whole[200:300]) + whole[300:])
    for read in (done.cross_validate, lambda: read_run(done.out)):
        with pytest.raises(DataError, match=r"test\.npz cannot be read .*; delete .*fold1/result\.json"):
            read()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"n_folds": 3, "seed": 0}', "3"])
def test_damaged_folds_are_named_with_what_to_do(tmp_path: Path, content: str) -> None:
    (tmp_path / "folds.json").write_text(content)
    with pytest.raises(DataError, match=r"folds\.json .*delete it"):
        load_or_make_folds(tmp_path / "folds.json", [], 3, 0)


def test_who_reads_while_a_run_writes_sees_whole_files(done: DoneRun) -> None:
    files = [done.out / "crossval.json", fold_folder(done.out, 0) / PREDICTIONS]
    before = [path.read_bytes() for path in files]
    streams = [path.open("rb") for path in files]
    done.cross_validate()
    save_predictions(files[1], scored_fold([0, 1], MIKELS, "other", 0.5, 9))
    for path, stream, content in zip(files, streams, before, strict=True):
        with stream:
            assert stream.read() == content
        assert path.read_bytes() != content
    assert not list(done.out.rglob(".*"))
