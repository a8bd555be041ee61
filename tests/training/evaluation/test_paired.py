"""Differences between two recipes on the same pictures."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crossval_fakes import write_run
from emotion.errors import DataError
from emotion.taxonomy import Emotion, Taxonomy
from training.evaluation.out_of_fold import evaluate_folds, read_run
from training.evaluation.outcome import ORDER, SEED
from training.evaluation.paired import Difference, as_json, as_table, compare

HARDLY_SIDED = Taxonomy(
    name="hardly-sided",
    emotions=(
        Emotion(name="up", polarity="positive"),
        Emotion(name="down", polarity="negative"),
        *(Emotion(name=f"e{i}") for i in range(6)),
    ),
)
PLAIN = Taxonomy(name="plain", emotions=tuple(Emotion(name=f"e{i}") for i in range(8)))


def _compared(tmp_path: Path, **other: Any) -> list[Difference]:
    one = read_run(write_run(tmp_path / "one"))
    return compare(one, read_run(write_run(tmp_path / "two", **{"seed": 1} | other)), resamples=200)


def test_the_figures_are_the_pooled_evaluations(tmp_path: Path) -> None:
    differences = _compared(tmp_path)
    assert tuple(d.figure for d in differences) == ORDER
    for name, column in (("one", "baseline"), ("two", "other")):
        figures = evaluate_folds(read_run(tmp_path / name))[1].figures()
        for d in differences:
            assert getattr(d, column) == pytest.approx(figures[d.figure], abs=1e-5), d.figure
    for d in differences:
        assert d.difference == pytest.approx(d.other - d.baseline)
        assert d.low <= d.difference <= d.high


def test_a_run_does_not_differ_from_itself(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path / "one"))
    assert all((d.difference, d.low, d.high, d.verdict) == (0, 0, 0, "") for d in compare(run, run, resamples=20))


def test_a_plainly_better_run_is_better_in_every_direction(tmp_path: Path) -> None:
    verdicts = {d.figure: d.verdict for d in _compared(tmp_path, noise=0.05)}
    assert all(verdicts[name] == "better" for name in ("accuracy", "macro_f1", "mAP8", "ANMRR", "prob_mAP2"))
    worse = compare(read_run(tmp_path / "two"), read_run(tmp_path / "one"), resamples=200)
    assert {d.figure: d.verdict for d in worse}["ANMRR"] == "worse"


def test_the_interval_is_the_paired_bootstrap_within_folds(tmp_path: Path) -> None:
    """Accuracy by the definition, written slowly, with the same draws."""
    found = {d.figure: d for d in _compared(tmp_path)}["accuracy"]
    runs = [read_run(tmp_path / name) for name in ("one", "two")]
    right = [[fold.scored.probs.argmax(axis=1) == fold.scored.labels for fold in run.folds] for run in runs]
    rng = np.random.default_rng(SEED)
    drawn = []
    for _ in range(200):
        gains = []
        offset = 0
        for before, after in zip(*right, strict=True):
            rows = rng.choice(np.arange(offset, offset + len(before)), len(before)) - offset
            gains += [float(after[row]) - float(before[row]) for row in rows]
            offset += len(before)
        drawn.append(np.mean(gains))
    shifted = np.array(drawn) - np.mean(drawn) + found.difference
    np.testing.assert_allclose((found.low, found.high), np.percentile(shifted, (2.5, 97.5)), atol=1e-12)


def test_the_order_of_rows_does_not_matter_and_the_same_seed_repeats(tmp_path: Path) -> None:
    first = _compared(tmp_path)
    saved = tmp_path / "two" / "fold0" / "test.npz"
    with np.load(saved) as old:
        turned = {name: old[name][::-1] for name in old.files}
    np.savez(saved, **turned)
    again = compare(read_run(tmp_path / "one"), read_run(tmp_path / "two"), resamples=200)
    for one, other in zip(first, again, strict=True):
        assert one.low == pytest.approx(other.low, abs=1e-6)
        assert one.other == pytest.approx(other.other, abs=1e-6)


def test_what_cannot_be_measured_is_left_out(tmp_path: Path) -> None:
    runs = [read_run(write_run(tmp_path / name, seed=n, taxonomy=PLAIN)) for n, name in enumerate(("one", "two"))]
    names = [d.figure for d in compare(*runs, resamples=20)]
    assert "mAP8" in names
    assert not {"accuracy_polarity", "mAP2", "prob_mAP2"} & set(names)


def test_a_figure_that_few_pictures_count_in_is_compared_over_the_resamples_that_drew_one(tmp_path: Path) -> None:
    """Polarity accuracy by the definition, written slowly, with the same draws: one picture a fold takes a side."""
    labels = [0, *range(2, 8), *range(2, 7)]
    runs = [
        read_run(write_run(tmp_path / name, seed=seed, taxonomy=HARDLY_SIDED, labels=labels, noise=1.0))
        for name, seed in (("one", 0), ("two", 4))
    ]
    found = {d.figure: d for d in compare(*runs, resamples=200)}
    assert {"accuracy_polarity", "mAP8"} <= set(found)
    right: list[list[float | None]] = []
    for run in runs:
        right.append([])
        for fold in run.folds:
            for label, probs in zip(fold.scored.labels.tolist(), fold.scored.probs, strict=True):
                right[-1].append(float((probs[0] > probs[1]) == (label == 0)) if label < 2 else None)
    sizes = [len(fold.scored.labels) for fold in runs[0].folds]
    rng, drawn, empty = np.random.default_rng(SEED), [], 0
    for _ in range(200):
        rows = np.concatenate([rng.choice(np.arange(n) + sizes[0] * fold, n) for fold, n in enumerate(sizes)])
        gains = [right[1][row] - right[0][row] for row in rows if right[0][row] is not None]  # type: ignore[operator]
        if gains:
            drawn.append(np.mean(gains))
        empty += not gains
    assert empty
    d = found["accuracy_polarity"]
    expected = np.percentile(np.array(drawn) - np.mean(drawn) + d.difference, (2.5, 97.5))
    np.testing.assert_allclose((d.low, d.high), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"n_folds": 3}, r"has folds \[0, 1\], .*two \[0, 1, 2\]"),
        ({"labels": [*range(8)] * 2}, "fold 0 .* differ in 8 pictures"),
        ({"labels": [1, *range(1, 8), *range(8), *range(8)]}, "fold 0 .* differ in 1 pictures or their labels"),
        ({"taxonomy": PLAIN}, "different label sets"),
    ],
)
def test_other_folds_are_an_error_that_says_what_to_do(tmp_path: Path, other: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        _compared(tmp_path, **other)


def test_marks_and_forms() -> None:
    up, down = Difference("mAP8", 0.25, 0.5, 0.25, 0.125, 0.375), Difference("ece", 0.25, 0.5, 0.25, 0.125, 0.375)
    flat = Difference("NN", 0.25, 0.5, 0.25, -0.01, 0.5)
    assert [d.verdict for d in (up, down, flat)] == ["better", "worse", ""]
    assert (
        as_table([up], "probe", "mine").splitlines()[2]
        == "| mAP8 | 0.250 | 0.500 | +0.250 | [+0.125, +0.375] | better |"
    )
    assert as_json([flat])[0]["verdict"] is None
