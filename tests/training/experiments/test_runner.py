"""Studies of rows that need no training: what is kept, what is refused, what the table says."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emotion.errors import ConfigError, DataError
from emotion.taxonomy import MIKELS
from study_fakes import N_FOLDS, NoisyMethod, made_up_folds, made_up_samples, noisy
from training.data.samples import Sample
from training.data.splits import fold_parts
from training.evaluation.evaluate import Scored, evaluate
from training.evaluation.outcome import SEED
from training.experiments.figures import Figures, Setting
from training.experiments.rows import Method, NotRun, Row
from training.experiments.runner import run_rows
from training.experiments.store import Store
from training.experiments.table import Study


class SlowMethod(NoisyMethod):
    """Another kind."""


SAMPLES = made_up_samples()
FOLDS = made_up_folds(SAMPLES)
STUDY = Study(name="study", title="A study", source="a source", base="poor")
RESAMPLES = 40


def _rows(*more: Row, poor: Method | None = None) -> list[Row]:
    source = {"accuracy": 0.5, "mAP8": 0.4}
    return [
        Row("poor", "poor one", poor or NoisyMethod(1.0), source),
        Row("good", "good one", NoisyMethod(0.2), {"accuracy": 0.4, "mAP8": 0.6}),
        *more,
    ]


def _run(rows: Sequence[Row], out: Path, numbers: Sequence[int] = (0,), samples: Sequence[Sample] = SAMPLES) -> str:
    return run_rows(STUDY, rows, samples, MIKELS, FOLDS, out, numbers=numbers, resamples=RESAMPLES)


def _table(out: Path) -> dict[str, Any]:
    table = json.loads((out / "study.json").read_text())
    return {row["key"]: row for row in table["rows"]} | {"orders": table["orders"]}


def _runs(rows: Sequence[Row]) -> list[int]:
    return [len(row.method.runs) for row in rows if isinstance(row.method, NoisyMethod)]


def test_what_is_done_is_kept_and_the_same_command_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = _rows(Row("third", "third", NoisyMethod(0.5, failure=KeyboardInterrupt())))
    with pytest.raises(KeyboardInterrupt):
        _run(rows, tmp_path)
    assert "the same command goes on" in capsys.readouterr().err
    assert [_table(tmp_path)[key]["status"] for key in ("poor", "good", "third")] == ["done", "done", "not done yet"]
    assert "| third | not done yet |  |  |  |" in (tmp_path / "study.md").read_text()
    whole = (tmp_path / "rows" / "poor" / "fold0" / "test.npz").stat().st_mtime_ns
    again = _rows(Row("third", "third", NoisyMethod(0.5)))
    text = _run(again, tmp_path)
    assert _runs(again) == [0, 0, 1]
    assert (tmp_path / "rows" / "poor" / "fold0" / "test.npz").stat().st_mtime_ns == whole
    assert text == (tmp_path / "study.md").read_text()
    assert "row 3 of 3: third, fold 0" in capsys.readouterr().err


def test_more_folds_widen_the_table_and_count_when_fewer_are_asked_for(tmp_path: Path) -> None:
    _run(_rows(), tmp_path)
    assert _table(tmp_path)["good"]["n_pictures"] == 24
    rows = _rows()
    _run(rows, tmp_path, [0, 1, 2])
    assert _runs(rows) == [2, 2]
    wide = (tmp_path / "study.json").read_bytes()
    rows = _rows()
    _run(rows, tmp_path, [1])  # what is done of the others stays in the table
    assert _runs(rows) == [0, 0]
    assert (tmp_path / "study.json").read_bytes() == wide
    assert _table(tmp_path)["good"]["folds"] == [0, 1, 2]


def test_a_row_is_not_done_by_folds_that_nobody_asked_for(tmp_path: Path) -> None:
    _run(_rows(), tmp_path, [0])
    failing = [Row("poor", "poor one", NoisyMethod(1.0, failure=KeyboardInterrupt())), _rows()[1]]
    with pytest.raises(KeyboardInterrupt):
        _run(failing, tmp_path, [1, 2])
    assert _table(tmp_path)["good"]["status"] == "done: 0 of 2 folds"


def test_a_time_is_told_once_the_same_kind_of_method_has_taken_some(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(_rows(Row("slow", "slow", SlowMethod(0.5)), Row("slower", "slower", SlowMethod(0.4))), tmp_path)
    told = [line.rpartition("; ")[2] for line in capsys.readouterr().err.splitlines() if line.startswith("row ")]
    assert told == ["4 to go", "3 to go", "2 to go", "1 to go, less than a minute"]


@pytest.mark.parametrize("failure", [DataError("too few pictures"), ConfigError("no such thing")])
def test_a_row_that_fails_stops_the_study_with_its_error(tmp_path: Path, failure: Exception) -> None:
    last = NoisyMethod(0.5)
    rows = _rows(Row("bad", "bad", NoisyMethod(0.5, failure=failure)), Row("last", "last", last))
    with pytest.raises(type(failure), match=str(failure)):
        _run(rows, tmp_path)
    assert last.runs == []
    assert _table(tmp_path)["good"]["status"] == "done"


@pytest.mark.parametrize(
    ("rows", "samples", "message"),
    [
        (
            _rows(poor=NoisyMethod(0.9)),
            SAMPLES,
            r"poor/fold0/result\.json is of other settings \(noise\); choose another",
        ),
        (_rows(), SAMPLES[:-1], r"poor/fold0/result\.json is of other pictures; choose another --out"),
    ],
)
def test_another_study_in_the_same_folder_is_refused_before_anything_runs(
    tmp_path: Path, rows: list[Row], samples: Sequence[Sample], message: str
) -> None:
    _run(_rows(), tmp_path)
    first = Row("first", "first", NoisyMethod(0.5))
    with pytest.raises(ConfigError, match=message):
        _run([first, *rows], tmp_path, samples=samples)
    assert not (tmp_path / "rows" / "first").exists()


def test_a_damaged_file_is_named_with_what_to_delete(tmp_path: Path) -> None:
    _run(_rows(), tmp_path)
    (tmp_path / "rows" / "good" / "fold0" / "train.npz").write_bytes(b"nothing")
    with pytest.raises(
        DataError, match=r"train\.npz cannot be read .*delete .*good/fold0/result\.json and run the same"
    ):
        _run(_rows(), tmp_path)
    (tmp_path / "rows" / "good" / "fold0" / "result.json").write_text("{")
    with pytest.raises(DataError, match=r"result\.json .*delete it"):
        _run(_rows(), tmp_path)


def test_a_bundle_that_was_kept_is_not_taken_away_by_a_later_command(tmp_path: Path) -> None:
    for keep in (True, False):
        run_rows(STUDY, _rows(), SAMPLES, MIKELS, FOLDS, tmp_path, numbers=[0], keep_bundles=keep, resamples=RESAMPLES)
        assert (tmp_path / "rows" / "good" / "fold0" / "bundle" / "weights").is_file()


@pytest.mark.parametrize("keep", [True, False])
def test_what_a_training_leaves_is_taken_away_but_a_bundle_that_is_wanted(tmp_path: Path, keep: bool) -> None:
    run_rows(STUDY, _rows(), SAMPLES, MIKELS, FOLDS, tmp_path, numbers=[0], keep_bundles=keep, resamples=RESAMPLES)
    left = {path.name for path in (tmp_path / "rows" / "good" / "fold0").iterdir()}
    assert left == {"result.json", "test.npz", "train.npz"} | ({"bundle"} if keep else set())


def test_a_row_that_cannot_be_had_says_why(tmp_path: Path) -> None:
    text = _run(_rows(Row("gone", "gone one", NotRun("needs --weights"), {"mAP8": 0.9})), tmp_path)
    assert "| gone one | not run: needs --weights |" in text
    assert "| gone one | – / – | 0.900 / – |" in text, "the source's figure stands there all the same"
    assert _table(tmp_path)["gone"]["unseen_gallery"] == {}


@pytest.mark.parametrize("keys", [["poor", "poor"], ["good"]])
def test_rows_need_keys_of_their_own_and_a_base(tmp_path: Path, keys: list[str]) -> None:
    with pytest.raises(ConfigError, match="a key of its own"):
        _run([Row(key, key, NoisyMethod(0.5)) for key in keys], tmp_path)


def test_figures_are_those_of_the_evaluation(tmp_path: Path) -> None:
    """Of one fold both settings are what `evaluate` gives."""
    _run(_rows(), tmp_path)
    train, test = fold_parts(SAMPLES, FOLDS, 0)
    queries, gallery = noisy(test, 0.2, 0), noisy(train, 0.2, 1)
    for setting, searched in (("unseen_gallery", None), ("paper_protocol", _by_digest(gallery))):
        expected = evaluate(_by_digest(queries), MIKELS, searched).figures()
        found = _table(tmp_path)["good"][setting]
        assert len(found) == 16
        for name, figure in found.items():
            assert figure["value"] == pytest.approx(expected[name], abs=1e-5), (setting, name)
            assert figure["low"] <= figure["value"] <= figure["high"]


def test_the_difference_is_paired_over_the_pictures_of_each_fold(tmp_path: Path) -> None:
    """Accuracy by the definition, written slowly, with the same draws."""
    _run(_rows(), tmp_path, [0, 1, 2])
    right = {noise: [] for noise in (1.0, 0.2)}
    for number in range(N_FOLDS):
        test = sorted(fold_parts(SAMPLES, FOLDS, number)[1], key=lambda sample: sample.digest)
        for noise, per_fold in right.items():
            scored = _by_digest(noisy(fold_parts(SAMPLES, FOLDS, number)[1], noise, 0))
            assert list(scored.samples) == test
            per_fold.append(scored.probs.argmax(axis=1) == scored.labels)
    rng = np.random.default_rng(SEED)
    gains = []
    for _ in range(RESAMPLES):
        rows = [rng.choice(np.arange(24), 24) for _ in range(N_FOLDS)]
        means = [np.mean([one[r] for one, r in zip(right[noise], rows, strict=True)]) for noise in (0.2, 1.0)]
        gains.append(means[0] - means[1])
    gain = np.mean(right[0.2]) - np.mean(right[1.0])
    low, high = np.percentile(np.array(gains) - np.mean(gains) + gain, (2.5, 97.5))
    found = _table(tmp_path)["good"]["paper_protocol"]["accuracy"]["difference"]
    assert (found["value"], found["low"], found["high"]) == pytest.approx((gain, low, high), abs=1e-5)
    assert found["verdict"] == "better"
    assert "difference" not in _table(tmp_path)["poor"]["paper_protocol"]["accuracy"]


def test_of_several_seeds_the_mean_counts_once_all_folds_are_done(tmp_path: Path) -> None:
    many = Row("many", "many", NoisyMethod(0.6), repeats=(NoisyMethod(0.6, 7), NoisyMethod(0.6, 8)))
    _run(_rows(many), tmp_path)
    folder = tmp_path / "rows" / "many"
    assert (folder / "fold0" / "result.json").is_file()
    assert (folder / "repeat2" / "fold0" / "result.json").is_file()
    test = fold_parts(SAMPLES, FOLDS, 0)[1]
    expected = np.mean([evaluate(_by_digest(noisy(test, 0.6, seed)), MIKELS).figures()["mAP8"] for seed in (0, 7, 8)])
    assert _table(tmp_path)["many"]["unseen_gallery"]["mAP8"]["value"] == pytest.approx(expected, abs=1e-5)
    assert _table(tmp_path)["many"]["n_seeds"] == 3
    (folder / "repeat1" / "fold0" / "result.json").unlink()
    figures = Figures(Store(tmp_path, SAMPLES, FOLDS), _rows(many), MIKELS, RESAMPLES)
    assert figures.n_seeds("many") == 2
    both = np.mean([evaluate(_by_digest(noisy(test, 0.6, seed)), MIKELS).figures()["mAP8"] for seed in (0, 8)])
    assert figures.of("many", Setting.UNSEEN_GALLERY)["mAP8"].value == pytest.approx(both, abs=1e-5)


def test_a_page_shows_some_figures_and_its_json_all(tmp_path: Path) -> None:
    """What a page shows of both protocols, its folds and seeds; and no line of it is too wide to read."""
    text = _run(_rows(), tmp_path, [0, 2])
    assert "| good one | done | 0, 2 | 1 | 48 |" in text
    assert "| row | accuracy | mAP8 | mAP2 | NN | P10 | prob_mAP8 |" in text
    assert "| less poor one | mAP8 | mAP2 | NN |" in text
    assert max(len(line) for line in text.splitlines() if line.startswith("|")) < 180
    assert {"FT", "ST", "DCG", "ANMRR", "ece", "macro_f1"} < _table(tmp_path)["good"]["paper_protocol"].keys()


def test_the_order_of_the_source_is_held_against_ours(tmp_path: Path) -> None:
    """Source: accuracy poor > good, mAP8 poor < good; a twin of `good` cannot be told from it."""
    twin = Row("twin", "twin of good", NoisyMethod(0.2), {"mAP8": 0.5})
    text = _run(_rows(twin), tmp_path, [0, 1, 2])
    orders = {(order["figure"], order["setting"]): order for order in _table(tmp_path)["orders"]}
    assert set(orders) == {("accuracy", "paper_protocol"), ("mAP8", "paper_protocol"), ("mAP8", "unseen_gallery")}
    (reverse,) = orders["accuracy", "paper_protocol"]["reversed"]
    assert (reverse["worse"], reverse["better"]) == ("good", "poor")
    by_map = orders["mAP8", "paper_protocol"]
    assert [len(by_map[kind]) for kind in ("confirmed", "reversed", "undecided")] == [2, 0, 1]
    assert [f"{order}/{pair['worse']}" for (order, _), found in orders.items() for pair in found["undecided"]] == [
        "mAP8/twin",
        "mAP8/twin",
    ]
    assert "| accuracy | 1 | 0 | 1 | 0 |" in text
    assert "| mAP8, unseen gallery | 3 | 2 | 0 | 1 |" in text
    assert "- accuracy: good one < poor one (-0." in text


def _by_digest(scored: Scored) -> Scored:
    order = np.argsort([sample.digest for sample in scored.samples])
    samples = tuple(scored.samples[row] for row in order)
    return Scored(scored.embeddings[order], scored.probs[order], scored.labels[order], samples)
