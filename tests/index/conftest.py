import numpy as np
import pytest

from emotion.predictor import Predictor
from emotion.taxonomy import MIKELS
from fakes import tiny_predictor, write_gallery
from index.gallery import GalleryRoot
from index.rebuild import rebuild
from index.rows import GalleryRows
from index.snapshot import SnapshotDraft
from index.store import SnapshotStore


@pytest.fixture
def predictor(tmp_path) -> Predictor:
    return tiny_predictor(tmp_path)


@pytest.fixture
def store(tmp_path) -> SnapshotStore:
    return SnapshotStore(tmp_path / "store")


@pytest.fixture
def gallery(tmp_path):
    write_gallery(tmp_path / "gallery", 6)
    return tmp_path / "gallery"


@pytest.fixture
def clustered():
    """Makes unit vectors that lie as sentiment vectors do: in clusters, near a space of few dimensions."""

    def make(n: int, dim: int = 32, seed: int = 0) -> np.ndarray:
        rng = np.random.default_rng(seed)
        rank, n_clusters = dim // 4, 40
        basis = rng.normal(size=(rank, dim)) / np.sqrt(dim)
        low = rng.normal(size=(n_clusters, rank))[rng.integers(0, n_clusters, n)] + rng.normal(size=(n, rank)) / 2
        vectors = (low @ basis + 0.02 * rng.normal(size=(n, dim))).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    return make


@pytest.fixture
def gallery_rows():
    """Makes the rows of a gallery with these vectors."""

    def make(vectors: np.ndarray) -> GalleryRows:
        ids = tuple(f"{row:032x}" for row in range(len(vectors)))
        return GalleryRows(ids, vectors, np.full((len(vectors), 8), 0.125, np.float32))

    return make


@pytest.fixture
def built(store, predictor, gallery) -> SnapshotStore:
    """A store with one published snapshot of six pictures."""
    rebuild(store, predictor, root=GalleryRoot(path=gallery))
    return store


@pytest.fixture
def draft():
    """Makes the content of a snapshot of random vectors; its precision field tells drafts apart."""

    def make(n: int = 5, seed: int = 0) -> SnapshotDraft:
        rng = np.random.default_rng(seed)
        ids = tuple(f"{i:032x}" for i in range(n))
        rows = GalleryRows(ids, rng.normal(size=(n, 8)).astype(np.float32), np.full((n, 8), 0.125, np.float32))
        return SnapshotDraft(rows, f"model{seed}", "fp32", MIKELS.names)

    return make
