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
