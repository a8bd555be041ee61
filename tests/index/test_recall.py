import numpy as np
import pytest

from emotion.runtime import Device
from index.build import build_flat
from index.device import to_device
from index.recall import N_QUERIES, RecallProbe, measure_recall, nearest_distances
from index.search import SearchIndex


def index_of(vectors: np.ndarray, indexed: np.ndarray | None = None) -> SearchIndex:
    """An index over its vectors, or over others by mistake."""
    ids = [f"{row:032x}" for row in range(len(vectors))]
    return SearchIndex(to_device(build_flat(vectors if indexed is None else indexed), Device.CPU), vectors, ids)


def test_flat_finds_every_neighbour(clustered):
    vectors = clustered(300)
    assert measure_recall(index_of(vectors), vectors) == 1.0


@pytest.mark.parametrize("n", [1, 2, 3, 11])
def test_fewer_pictures_than_neighbours(clustered, n):
    vectors = clustered(n)
    assert measure_recall(index_of(vectors), vectors) == 1.0


def test_equal_distances_are_no_loss(clustered):
    vectors = np.repeat(clustered(2), 40, axis=0)
    assert measure_recall(index_of(vectors), vectors) == 1.0


def test_recall_is_measured_not_assumed(clustered):
    """An index over other vectors finds few true neighbours."""
    vectors = clustered(300)
    assert measure_recall(index_of(vectors, indexed=clustered(300, seed=1)), vectors) < 0.5


class FindsOnlyItself:
    """An index that knows the query and nothing of its neighbours."""

    def __init__(self, n: int, dim: int) -> None:
        self.ntotal, self.d, self.n_searches = n, dim, 0

    def search(self, queries, k, params=None):
        rows = np.full((len(queries), k), -1, np.int64)
        rows[:, 0] = PROBE_ROWS
        return np.zeros((len(queries), k), np.float32), rows


PROBE_ROWS = np.arange(5)


def test_finding_oneself_counts_for_nothing(clustered):
    vectors = clustered(5)
    lonely = SearchIndex(to_device(FindsOnlyItself(5, 32), Device.CPU), vectors, [f"{row:032x}" for row in range(5)])
    assert measure_recall(lonely, vectors) == 0.0


def test_half_of_the_neighbours_is_half(clustered):
    """Of 5 others each query is given the nearest 2 or 3: every second row is unknown to the index."""
    vectors = clustered(6)
    ids = [f"{row:032x}" for row in range(6)]

    class KnowsEvenRows:
        ntotal, d = 6, 32

        def search(self, queries, k, params=None):
            return np.zeros((len(queries), 3), np.float32), np.tile([0, 2, 4], (len(queries), 1))

    found = measure_recall(SearchIndex(to_device(KnowsEvenRows(), Device.CPU), vectors, ids), vectors)
    assert found == pytest.approx((3 * 2 + 3 * 3) / (6 * 5))


def test_same_seed_same_probe(clustered):
    vectors = clustered(600)
    first, second, other = (RecallProbe.draw(vectors, seed=seed) for seed in (3, 3, 4))
    assert len(first.rows) == N_QUERIES
    np.testing.assert_array_equal(first.rows, second.rows)
    np.testing.assert_array_equal(first.limits, second.limits)
    assert not np.array_equal(first.rows, other.rows)


def test_nearest_distances_by_hand():
    queries = np.array([[0, 0], [3, 4]], dtype=np.float32)
    vectors = np.array([[3, 4], [0, 0], [0, 1]], dtype=np.float32)
    assert nearest_distances(queries, vectors, 2)[0].tolist() == [0, 1]
    assert nearest_distances(queries, vectors, 2, exclude=np.array([1, 0]))[0].tolist() == [1, 5]
    assert nearest_distances(queries, vectors, 0).shape == (2, 0)


def test_nearest_distances_block_by_block(clustered, monkeypatch):
    monkeypatch.setattr("index.recall._BLOCK_ROWS", 7)
    vectors = clustered(50)
    rows = np.array([0, 6, 7, 49])
    slow = [
        sorted(
            float(np.linalg.norm(vectors[row].astype(np.float64) - other))
            for i, other in enumerate(vectors)
            if i != row
        )
        for row in rows
    ]
    np.testing.assert_allclose(nearest_distances(vectors[rows], vectors, 9, exclude=rows), [s[:9] for s in slow])
