"""Stores to search in: made-up vectors in clusters, as sentiment vectors lie, with a catalog that knows their ids."""

from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.vectors import DIM, made_up
from emotion.arrays import Embeddings
from emotion.bundle import Bundle
from emotion.errors import ConfigError
from emotion.runtime import Precision
from index.catalog import CatalogEntry, picture_id
from index.rows import GalleryRows
from index.snapshot import SnapshotDraft
from index.store import SnapshotStore

_PICTURE_BYTES: Final = 60_000


def made_up_store(folder: Path, bundle: Bundle, count: int, precision: Precision = Precision.FP32) -> SnapshotStore:
    """Publish a snapshot of this many vectors that the bundle's model might have made; there are no pictures.

    Raises:
        ConfigError: the bundle's embedding is of another size than the made-up vectors.
    """
    store, names = SnapshotStore(folder), bundle.manifest.taxonomy.names
    with store.writer_lock():
        staged = store.stage(made_up_draft(bundle, count, precision))
        store.catalog.update(_entry(digest, names[i % len(names)]) for i, digest in _digests(count))
        store.publish(staged)
    return store


def made_up_draft(bundle: Bundle, count: int, precision: Precision = Precision.FP32, seed: int = 1) -> SnapshotDraft:
    """What a snapshot of made-up vectors is made of; another seed gives the same pictures other vectors.

    Raises:
        ConfigError: the bundle's embedding is of another size than the made-up vectors.
    """
    if bundle.dim != DIM:
        raise ConfigError(f"made-up vectors have {DIM} numbers; the bundle {bundle.path} gives {bundle.dim}")
    names = bundle.manifest.taxonomy.names
    rows = GalleryRows(ids(count), made_up(count, seed), _probabilities(count, len(names)))
    return SnapshotDraft(rows, bundle.model_id, precision.value, names)


def ids(count: int) -> tuple[str, ...]:
    """Ids as the catalog makes them, ascending."""
    return tuple(sorted(picture_id(digest) for _, digest in _digests(count)))


def _digests(count: int) -> list[tuple[int, str]]:
    return [(i, sha256(str(i).encode()).hexdigest()) for i in range(count)]


def _entry(digest: str, label: str) -> CatalogEntry:
    path = Path("made-up") / f"{digest[:16]}.jpg"
    return CatalogEntry(picture_id(digest), path, label, digest, size_bytes=_PICTURE_BYTES, mtime_ns=0)


def _probabilities(count: int, n_emotions: int) -> Embeddings:
    return np.random.default_rng(3).dirichlet(np.ones(n_emotions), count).astype(np.float32)
