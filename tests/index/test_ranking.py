import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.ranking import rank


def slow_rank(vectors: np.ndarray, query: np.ndarray, candidates: np.ndarray, k: int) -> list[tuple[float, int]]:
    """The definition: float64, rounded to the float32 that is reported, ties by row."""
    found = []
    for row in candidates.tolist():
        if row >= 0:
            difference = vectors[row].astype(np.float64) - query.astype(np.float64)
            found.append((float(np.float32(np.sqrt((difference**2).sum()))), row))
    return sorted(found)[:k]


def ranked(vectors: np.ndarray, queries: np.ndarray, candidates: np.ndarray, k: int) -> list[list[tuple[float, int]]]:
    rows, distances, counts = rank(vectors, queries, candidates, k)
    pairs = list(zip(distances.tolist(), rows.tolist(), strict=True))
    ends = np.cumsum(counts).tolist()
    return [pairs[end - count : end] for end, count in zip(ends, counts.tolist(), strict=True)]


def test_by_hand():
    vectors = np.array([[3, 4], [0, 0], [0, 1], [6, 8]], np.float32)
    queries = np.array([[0, 0], [6, 8]], np.float32)
    candidates = np.array([[3, 2, 0, 1], [1, 0, -1, -1]])
    assert ranked(vectors, queries, candidates, 3) == [[(0, 1), (1, 2), (5, 0)], [(5, 0), (10, 1)]]


@settings(max_examples=80, deadline=None)
@given(
    n=st.integers(1, 400),
    n_distinct=st.integers(1, 400),
    b=st.integers(1, 12),
    m=st.integers(1, 60),
    k=st.integers(1, 70),
    scale=st.sampled_from([1e-25, 1e-6, 1.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_equals_the_definition(n, n_distinct, b, m, k, scale, seed):
    """Also with equal vectors, with differences near float32's smallest numbers, and without some candidates."""
    rng = np.random.default_rng(seed)
    middle = rng.normal(size=8) if scale != 1e-25 else np.zeros(8)
    distinct = (middle + scale * rng.normal(size=(n_distinct, 8))).astype(np.float32)
    vectors = distinct[rng.integers(0, n_distinct, size=n)]
    queries = np.concatenate([vectors, distinct])[rng.integers(0, n, size=b)]
    m = min(m, n)
    candidates = np.stack([rng.choice(n, size=m, replace=False) for _ in range(b)])
    candidates[rng.random(candidates.shape) < 0.2] = -1
    expected = [slow_rank(vectors, query, one, k) for query, one in zip(queries, candidates, strict=True)]
    assert ranked(vectors, queries, candidates, k) == expected


@pytest.mark.parametrize("k", [1, 5, 40])
def test_near_duplicates_of_680_numbers(k):
    """Float32's rough squares cannot tell them apart at the k-th place; the answer does."""
    rng = np.random.default_rng(0)
    one = rng.normal(size=680).astype(np.float32)
    vectors = np.stack([np.nextafter(one, np.float32(np.inf) * sign) for sign in (1, -1)] * 150 + [one])
    vectors += rng.choice([0, 1e-7], size=vectors.shape).astype(np.float32)
    candidates = np.tile(np.arange(301), (3, 1))
    queries = vectors[[0, 100, 300]]
    expected = [slow_rank(vectors, query, candidates[0], k) for query in queries]
    assert ranked(vectors, queries, candidates, k) == expected
