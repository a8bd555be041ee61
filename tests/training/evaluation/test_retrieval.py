"""Each metric by hand on one ranked list, and by its definition written slowly on random ones."""

import math

import numpy as np
import pytest

from training.evaluation.retrieval import average_precision, rank, retrieval_metrics

ONE = np.array([[True, False, True, False, False, True, False, False]])
"""Relevant at ranks 1, 3 and 6 of 8; NG = 3."""


def test_by_hand() -> None:
    m = retrieval_metrics(ONE)
    assert m.mean_ap == pytest.approx((1 / 1 + 2 / 3 + 3 / 6) / 3)
    assert m.nn == 1
    assert m.ft == pytest.approx(2 / 3)
    assert m.st == pytest.approx(1)
    assert m.dcg == pytest.approx((1 + 1 / math.log2(3) + 1 / math.log2(6)) / (1 + 1 + 1 / math.log2(3)))
    # K = min(12, 6) = 6; AVR = (1 + 3 + 6) / 3; NMRR = (AVR - 2) / (7.5 - 2)
    assert m.anmrr == pytest.approx((10 / 3 - 2) / 5.5)


def _slow_nmrr(relevant: np.ndarray, gtm: int) -> float:
    ng = int(relevant.sum())
    k = min(4 * ng, 2 * gtm)
    ranks = [i if i <= k else 1.25 * k for i in range(1, len(relevant) + 1) if relevant[i - 1]]
    return (sum(ranks) / ng - 0.5 * (1 + ng)) / (1.25 * k - 0.5 * (1 + ng))


def _slow_dcg(relevant: np.ndarray) -> float:
    ng = int(relevant.sum())
    gains = [1.0 / max(1.0, math.log2(i)) for i in range(1, len(relevant) + 1)]
    got = sum(g for i, g in enumerate(gains, 1) if relevant[i - 1] and i <= 3 * ng)
    return got / sum(gains[:ng])


@pytest.mark.parametrize("seed", range(5))
def test_against_the_definitions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    relevant = rng.random((20, 30)) < 0.3
    relevant[:, 0] |= ~relevant.any(axis=1)
    m = retrieval_metrics(relevant)
    rows = list(relevant)
    gtm = max(int(row.sum()) for row in rows)
    aps = [np.mean([row[: i + 1].mean() for i in range(len(row)) if row[i]]) for row in rows]
    assert m.per_query_ap == pytest.approx(aps)
    assert m.mean_ap == pytest.approx(np.mean(aps))
    assert m.ft == pytest.approx(np.mean([row[: row.sum()].sum() / row.sum() for row in rows]))
    assert m.st == pytest.approx(np.mean([row[: 2 * row.sum()].sum() / row.sum() for row in rows]))
    assert m.anmrr == pytest.approx(np.mean([_slow_nmrr(row, gtm) for row in rows]))
    assert m.dcg == pytest.approx(np.mean([_slow_dcg(row) for row in rows]))
    assert m.p_at_10 == pytest.approx(np.mean([row[:10].mean() for row in rows]))


def test_a_perfect_list_and_the_worst() -> None:
    perfect = retrieval_metrics(np.array([[True, True, False, False, False, False, False, False, False]]))
    assert (perfect.mean_ap, perfect.nn, perfect.ft, perfect.st, perfect.dcg, perfect.anmrr) == (1, 1, 1, 1, 1, 0)
    worst = retrieval_metrics(np.array([[False] * 7 + [True, True]]))
    assert (worst.nn, worst.ft, worst.st, worst.dcg) == (0, 0, 0, 0)
    assert worst.anmrr == pytest.approx(1)


def test_queries_without_relevant_items_do_not_count() -> None:
    both = np.concatenate([ONE, np.zeros_like(ONE)])
    assert retrieval_metrics(both).mean_ap == retrieval_metrics(ONE).mean_ap
    assert retrieval_metrics(both).n_queries == 1
    assert math.isnan(retrieval_metrics(np.zeros_like(ONE)).mean_ap)


def test_ranking_leaves_the_query_out_and_breaks_ties_by_position() -> None:
    rows = np.array([[1, 0], [0, 1], [1, 0], [1, 0]], dtype=np.float32)
    order = rank(rows, rows, np.arange(4))
    assert order[0].tolist() == [2, 3, 1]
    assert order[3].tolist() == [0, 2, 1]
    assert rank(rows[:1], rows).tolist() == [[0, 2, 3, 1]]


def test_ranking_equals_a_slow_one() -> None:
    rng = np.random.default_rng(1)
    queries, database = rng.normal(size=(5, 8)).astype(np.float32), rng.normal(size=(40, 8)).astype(np.float32)
    expected = np.array([np.argsort(((database - q) ** 2).sum(axis=1), kind="stable") for q in queries])
    assert np.array_equal(rank(queries, database), expected)


def test_average_precision_is_one_number_a_query() -> None:
    assert average_precision(np.concatenate([ONE, ONE])).shape == (2,)
