"""Multi-label figures against scikit-learn, cases by hand, and their intervals."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from training.evaluation.multi_label import (
    FIGURES,
    MultiLabelAnswers,
    any_jaccard,
    best_thresholds,
    figures,
    mean_differences,
    mean_estimates,
    nearest_jaccard,
    weighted_figures,
)


def answers(seed: int = 0, n: int = 60, c: int = 5, decimals: int | None = None) -> MultiLabelAnswers:
    rng = np.random.default_rng(seed)
    labels = rng.random((n, c)) < np.linspace(0.1, 0.7, c)
    probs = np.clip(0.3 * labels + 0.7 * rng.random((n, c)), 0, 1).astype(np.float32)
    probs = probs if decimals is None else probs.round(decimals)
    return MultiLabelAnswers(probs, np.linspace(0.3, 0.7, c), labels, rng.random(n))


@pytest.mark.parametrize("decimals", [None, 1], ids=["no ties", "many ties"])
@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_scikit_learn(seed: int, decimals: int | None) -> None:
    given = answers(seed, decimals=decimals)
    y, p, named = given.labels, given.probs, given.named
    expected = {
        "mAP": np.mean([average_precision_score(y[:, i], p[:, i]) for i in range(y.shape[1])]),
        "macro_f1": f1_score(y, named, average="macro"),
        "macro_f1_at_half": f1_score(y, p >= 0.5, average="macro"),
        "micro_f1": f1_score(y, named, average="micro"),
        "exact_match": (y == named).all(axis=1).mean(),
        "jaccard10": given.jaccard.mean(),
    }
    assert figures(given) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(3))
def test_weights_are_as_good_as_repeating_pictures(seed: int) -> None:
    given = answers(seed, decimals=1)
    rows = np.random.default_rng(seed).integers(0, 60, 60)
    repeated = MultiLabelAnswers(given.probs[rows], given.thresholds, given.labels[rows], given.jaccard[rows])
    weights = np.bincount(rows, minlength=60).astype(np.float64)
    found = dict(zip(FIGURES, weighted_figures(given, weights[None])[0], strict=True))
    assert found == pytest.approx(figures(repeated))


def test_a_case_by_hand() -> None:
    """Label 0: right at ranks 1 and 3, AP = (1 + 2/3) / 2. Label 1: right at rank 2, AP = 1/2. Nobody has label 2."""
    labels = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 0]], dtype=np.bool_)
    probs = np.array([[0.9, 0.8, 0.1], [0.6, 0.7, 0.6], [0.5, 0.2, 0.1]], dtype=np.float32)
    found = figures(MultiLabelAnswers(probs, np.array([0.55, 0.55, 0.55]), labels, np.array([1.0, 0.5, 0.0])))
    # Named: {0, 1}, {0, 1, 2}, {}. Label 0: 1 right of 2 named, 2 true: F1 1/2. Label 1: 1 of 2, 1 true: 2/3.
    # At .5 the third picture is named label 0 too: 2 right of 3 named, 2 true: F1 4/5.
    expected = {"mAP": (5 / 6 + 1 / 2) / 2, "macro_f1": (1 / 2 + 2 / 3) / 2, "macro_f1_at_half": (4 / 5 + 2 / 3) / 2}
    assert found == pytest.approx(expected | {"micro_f1": 2 * 2 / (5 + 3), "exact_match": 0.0, "jaccard10": 0.5})


@pytest.mark.parametrize("seed", range(5))
def test_no_threshold_gives_a_better_f1(seed: int) -> None:
    given = answers(seed, decimals=1)
    chosen = best_thresholds(given.probs, given.labels)
    for label, threshold in enumerate(chosen):
        y, p = given.labels[:, label], given.probs[:, label]
        every = [f1_score(y, p >= other) for other in np.linspace(0, 1, 101)]
        assert f1_score(y, p >= threshold) >= max(every) - 1e-12
        assert np.abs(p - threshold).min() > 0.01  # halfway between two probabilities


def test_thresholds_at_the_edges() -> None:
    probs = np.array([[0.9, 0.4, 0.3], [0.2, 0.6, 0.3]], dtype=np.float32)
    labels = np.array([[1, 1, 0], [0, 1, 0]], dtype=np.bool_)
    assert best_thresholds(probs, labels) == pytest.approx([0.55, 0.2, 0.5])


def test_likeness_of_the_nearest() -> None:
    """Of eleven others the ten nearest count: nine share one of two labels, one none; the farthest is left out."""
    angles = np.arange(12) / 20
    embeddings = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    labels = np.zeros((12, 3), dtype=np.bool_)
    labels[0] = labels[11] = [True, True, False]
    labels[1:10, 0] = labels[10, 2] = True
    found = nearest_jaccard(embeddings, labels)
    assert found.shape == (12,)
    assert found[0] == pytest.approx(9 * 0.5 / 10)


def test_a_label_that_nobody_has_is_no_query() -> None:
    assert nearest_jaccard(np.eye(3, dtype=np.float32), np.zeros((3, 2), dtype=np.bool_)).tolist() == [0, 0, 0]


def test_likeness_of_all_the_others() -> None:
    """{0, 1} and {0}: 1/2; {0, 1} and {2}: 0; a picture without labels is like none."""
    labels = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0]], dtype=np.bool_)
    assert any_jaccard(labels) == pytest.approx([1 / 6, 1 / 6, 0, 0])
    given = answers(0, n=11)  # of which all ten others are the ten nearest
    everyone = np.random.default_rng(0).standard_normal((11, 3)).astype(np.float32)
    assert any_jaccard(given.labels) == pytest.approx(nearest_jaccard(everyone, given.labels))


def test_differences_are_over_the_same_pictures() -> None:
    """Where one model is the other but for one label, its difference is surer than either figure."""
    base = answers(0, 200)
    probs = base.probs.copy()
    probs[:, 0] = base.labels[:, 0]
    better = MultiLabelAnswers(probs, base.thresholds, base.labels, base.jaccard)
    found = mean_differences([better, better], [base])
    alone = mean_estimates([base])
    assert found["mAP"].value == pytest.approx(figures(better)["mAP"] - figures(base)["mAP"])
    for name in ("mAP", "macro_f1"):
        low, high = found[name].low, found[name].high
        assert low is not None
        assert high is not None
        assert 0 < low < found[name].value < high
        assert high - low < (alone[name].high or 0) - (alone[name].low or 0)
    assert found["jaccard10"] == mean_differences([base], [base])["jaccard10"]
    assert (found["jaccard10"].low, found["jaccard10"].high) == (0, 0)


def test_intervals_hold_the_mean_and_are_seeded() -> None:
    runs = [answers(0), answers(0, decimals=1)]
    found = mean_estimates(runs)
    assert found == mean_estimates(runs)
    for name, estimate in found.items():
        assert estimate.value == pytest.approx(np.mean([figures(run)[name] for run in runs]))
        assert estimate.low is not None
        assert estimate.high is not None
        assert estimate.low <= estimate.value <= estimate.high
        assert 0 < estimate.high - estimate.low < 0.5


def test_more_pictures_narrow_the_interval() -> None:
    few, many = (mean_estimates([answers(0, n)])["micro_f1"] for n in (40, 640))
    assert few.low is not None
    assert few.high is not None
    assert many.low is not None
    assert many.high is not None
    assert many.high - many.low < 0.5 * (few.high - few.low)
