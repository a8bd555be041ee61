import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emotion.errors import QueryError
from emotion.runtime import Device
from index.build import build_index
from index.device import to_device
from index.search import SearchIndex
from index.spec import IndexSpec


def search_index(vectors: np.ndarray) -> SearchIndex:
    ids = [f"{row:032x}" for row in range(len(vectors))]
    return SearchIndex(to_device(build_index(vectors, IndexSpec()), Device.CPU), vectors, ids)


def unit_vectors(n: int, d: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def slow_search(vectors: np.ndarray, query: np.ndarray, k: int) -> tuple[list[int], list[float]]:
    """The definition: every distance in float64, rounded to the float32 that is reported, ties by row."""
    distances = [np.float32(np.sqrt(((query.astype(np.float64) - v.astype(np.float64)) ** 2).sum())) for v in vectors]
    order = sorted(range(len(vectors)), key=lambda row: (distances[row], row))[:k]
    return order, [float(distances[row]) for row in order]


def test_by_hand():
    index = search_index(np.array([[3, 4], [0, 0], [0, 1]], dtype=np.float32))
    (hits,) = index.search(np.zeros((1, 2), np.float32), 3)
    assert hits.distances.tolist() == [0, 1, 5]
    assert hits.rows.tolist() == [1, 2, 0]
    assert hits.ids == (f"{1:032x}", f"{2:032x}", f"{0:032x}")


@pytest.mark.parametrize("n_queries", [1, 40], ids=["one", "through BLAS"])
def test_near_duplicates_keep_their_distances(n_queries):
    """FAISS's own answer for a batch is off by up to 1e-3 here."""
    vectors = unit_vectors(300, 680)
    queries = vectors[:n_queries] + np.float32(1e-5) * unit_vectors(n_queries, 680, seed=1)
    for query, hits in zip(queries, search_index(vectors).search(queries, 10), strict=True):
        rows, distances = slow_search(vectors, query, 10)
        np.testing.assert_allclose(hits.distances, distances, atol=1e-6)
        assert hits.rows.tolist() == rows


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 120),
    k=st.integers(1, 150),
    n_distinct=st.integers(1, 120),
    n_queries=st.integers(1, 30),
    seed=st.integers(0, 2**32 - 1),
)
def test_equals_brute_force(n, k, n_distinct, n_queries, seed):
    rng = np.random.default_rng(seed)
    vectors = unit_vectors(n_distinct, 8, seed)[rng.integers(0, n_distinct, size=n)]
    queries = np.concatenate([vectors, unit_vectors(n_queries, 8, seed + 1)])[:n_queries]
    for query, hits in zip(queries, search_index(vectors).search(queries, k), strict=True):
        rows, distances = slow_search(vectors, query, k)
        assert len(hits) == min(k, n)
        np.testing.assert_allclose(hits.distances, distances, atol=1e-4)
        assert hits.rows.tolist() == rows


def test_ties_beyond_k_go_to_the_smallest_ids():
    """200 equal vectors: whichever FAISS proposes, the first ids win."""
    vectors = np.repeat(unit_vectors(1, 8), 200, axis=0)
    for hits in search_index(vectors).search(np.repeat(vectors[:1], 30, axis=0), 5):
        assert hits.rows.tolist() == [0, 1, 2, 3, 4]
        assert hits.distances.tolist() == [0] * 5


def test_no_queries_no_hits():
    assert search_index(unit_vectors(3, 8)).search(np.empty((0, 8), np.float32), 2) == []


@pytest.mark.parametrize(
    ("queries", "k", "text"),
    [
        (np.full((1, 8), np.nan), 1, "query 0 holds NaN"),
        (np.array([[0.0] * 8, [0.0] * 7 + [np.inf]]), 1, "query 1 holds NaN, infinite"),
        (np.full((1, 8), 1e30), 1, "too large"),
        (np.zeros((1, 7)), 1, r"shape \(1, 7\); this index takes \(b, 8\)"),
        (np.zeros(8), 1, r"shape \(8,\)"),
        (np.zeros((1, 8)), 0, "k must be at least 1"),
        (np.zeros((1, 8)), -3, "k must be at least 1"),
    ],
)
def test_bad_queries_are_refused(queries, k, text):
    with pytest.raises(QueryError, match=text) as caught:
        search_index(unit_vectors(3, 8)).search(queries.astype(np.float32), k)
    assert isinstance(caught.value, ValueError)


def test_many_threads_get_the_answers_of_one():
    vectors = unit_vectors(500, 16)
    index = search_index(vectors)
    expected = [hits.ids for hits in index.search(vectors[:20], 5)]
    answers: list[list[tuple[str, ...]]] = []

    def work() -> None:
        answers.extend([[hits.ids for hits in index.search(vectors[:20], 5)] for _ in range(20)])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [expected] * 80
