import numpy as np

from emotion.runtime import Device
from index.build import build_index, exact_distances, measure_recall
from index.device import to_device
from index.search import SearchIndex
from index.spec import IndexSpec


def gallery(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 8)).astype(np.float32)


def index_of(vectors: np.ndarray, indexed: np.ndarray | None = None) -> SearchIndex:
    """An index over its vectors, or over others by mistake."""
    ids = [f"{row:032x}" for row in range(len(vectors))]
    index = build_index(vectors if indexed is None else indexed, IndexSpec())
    return SearchIndex(to_device(index, Device.CPU), vectors, ids)


def test_flat_finds_every_neighbour():
    vectors = gallery(300)
    assert measure_recall(index_of(vectors), vectors) == 1.0


def test_fewer_pictures_than_neighbours():
    vectors = gallery(3)
    assert measure_recall(index_of(vectors), vectors) == 1.0


def test_equal_distances_are_no_loss():
    vectors = np.repeat(gallery(2), 40, axis=0)
    assert measure_recall(index_of(vectors), vectors) == 1.0


def test_recall_is_measured_not_assumed():
    """An index over other vectors finds few true neighbours."""
    vectors = gallery(300)
    assert measure_recall(index_of(vectors, indexed=gallery(300, seed=1)), vectors) < 0.5


def test_same_seed_same_recall():
    vectors = gallery(300)
    index = index_of(vectors, indexed=gallery(300, seed=1))
    assert measure_recall(index, vectors, seed=3) == measure_recall(index, vectors, seed=3)


def test_exact_distances_by_hand():
    queries = np.array([[0, 0]], dtype=np.float32)
    vectors = np.array([[3, 4], [0, 0]], dtype=np.float32)
    assert exact_distances(queries, vectors).tolist() == [[5, 0]]
