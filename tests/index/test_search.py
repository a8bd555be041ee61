import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emotion.errors import QueryError
from emotion.runtime import Device
from index.build import build_flat, build_ivf
from index.device import to_device
from index.search import SearchIndex
from index.spec import IvfSpec


def search_index(vectors: np.ndarray) -> SearchIndex:
    ids = [f"{row:032x}" for row in range(len(vectors))]
    return SearchIndex(to_device(build_flat(vectors), Device.CPU), vectors, ids)


def ivf_index(vectors: np.ndarray, n_probe: int = 3, candidates_per_hit: int = 4) -> SearchIndex:
    ids = [f"{row:032x}" for row in range(len(vectors))]
    index = build_ivf(vectors)
    ivf = IvfSpec(
        n_lists=index.nlist, n_probe=n_probe, candidates_per_hit=candidates_per_hit, target_recall=0.9, n_queries=256
    )
    return SearchIndex(to_device(index, Device.CPU), vectors, ids, ivf)


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


@pytest.mark.parametrize("make", [search_index, ivf_index])
def test_no_queries_no_hits(make):
    assert make(unit_vectors(3, 8)).search(np.empty((0, 8), np.float32), 2) == []


def test_lists_give_exact_distances_in_order(clustered):
    vectors = clustered(2000)
    for query, hits in zip(vectors[:40], ivf_index(vectors).search(vectors[:40], 10), strict=True):
        slow = [np.float32(np.sqrt(((query.astype(np.float64) - vectors[row]) ** 2).sum())) for row in hits.rows]
        assert hits.distances.tolist() == slow
        assert list(zip(hits.distances, hits.ids, strict=True)) == sorted(zip(hits.distances, hits.ids, strict=True))


@pytest.mark.parametrize("k", [1, 10, 400, 1999, 2000, 5000])
@pytest.mark.parametrize("n_queries", [1, 30])
def test_lists_never_give_too_few(clustered, k, n_queries):
    """The one list that is read first holds about 40 vectors."""
    vectors = clustered(2000)
    for hits in ivf_index(vectors, n_probe=1).search(vectors[:n_queries], k):
        assert len(set(hits.ids)) == min(k, 2000)


def test_all_lists_together_are_exact(clustered):
    vectors = clustered(1500)
    index = ivf_index(vectors, n_probe=38, candidates_per_hit=150)
    for query, hits in zip(vectors[:20], index.search(vectors[:20], 10), strict=True):
        assert hits.rows.tolist() == slow_search(vectors, query, 10)[0]


@pytest.mark.parametrize("n_distinct", [1, 5])
def test_lists_of_equal_vectors(n_distinct):
    vectors = np.repeat(unit_vectors(n_distinct, 8), 100, axis=0)
    for hits in ivf_index(vectors, n_probe=1).search(vectors[::20], 50):
        assert hits.distances.tolist() == [0] * 50
        assert len(set(hits.ids)) == 50


def test_searches_of_other_widths_at_the_same_time_do_not_mix(clustered):
    """Both searches share one FAISS index; each says for itself how many lists to read."""
    vectors = clustered(2000)
    wide = ivf_index(vectors, n_probe=51)
    narrow = SearchIndex(wide._index, vectors, wide._ids, wide._strategy._ivf.model_copy(update={"n_probe": 1}))
    expected = {index: [hits.ids for hits in index.search(vectors[:20], 5)] for index in (wide, narrow)}
    assert expected[wide] != expected[narrow]
    wrong: list[object] = []

    def work(index: SearchIndex) -> None:
        for _ in range(30):
            if [hits.ids for hits in index.search(vectors[:20], 5)] != expected[index]:
                wrong.append(index)

    threads = [threading.Thread(target=work, args=(index,)) for index in (wide, narrow) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("make", [search_index, ivf_index])
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
def test_bad_queries_are_refused(make, queries, k, text):
    with pytest.raises(QueryError, match=text) as caught:
        make(unit_vectors(3, 8)).search(queries.astype(np.float32), k)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("make", [search_index, ivf_index])
def test_many_threads_get_the_answers_of_one(make):
    vectors = unit_vectors(500, 16)
    index = make(vectors)
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
