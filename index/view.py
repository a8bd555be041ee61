"""A snapshot and what was added since, searched as one gallery.

A view has the attributes of a Snapshot, with rows counted on: the snapshot's first, the added ones behind them.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Generic, TypeVar

import numpy as np
from jaxtyping import Int64

from emotion.arrays import Embedding, Embeddings, Probabilities, ProbabilityRows
from emotion.runtime import Device
from index.catalog import Catalog
from index.delta import Delta, DeltaReader, Made
from index.manifest import SnapshotManifest
from index.ranking import Hits
from index.search import SearchIndex
from index.snapshot import Snapshot

T = TypeVar("T")


class Joined(Generic[T]):
    """Two sequences, one behind the other, without copying either."""

    def __init__(self, first: Any, second: Any) -> None:
        self._first = first
        self._second = second

    def __len__(self) -> int:
        return len(self._first) + len(self._second)

    def __getitem__(self, row: int) -> T:
        n = len(self._first)
        found: T = self._first[row] if row < n else self._second[row - n]
        return found

    def __iter__(self) -> Iterator[T]:
        return chain(self._first, self._second)


class JoinedIndex:
    """Searches both parts in the one order (distance, id)."""

    def __init__(self, index: SearchIndex, delta: Delta) -> None:
        self._index = index
        self._delta = delta

    def __len__(self) -> int:
        return len(self._index) + len(self._delta)

    @property
    def dim(self) -> int:
        """Size of an embedding."""
        return self._index.dim

    @property
    def device(self) -> Device:
        """Where the snapshot is searched; the added pictures are few and searched on the CPU."""
        return self._index.device

    @property
    def failure(self) -> str | None:
        """Why nothing can be searched any more; None while all is well."""
        return self._index.failure

    @property
    def most_hits(self) -> int:
        """The most neighbours that one search gives."""
        return self._index.most_hits

    def search(self, queries: Embeddings, k: int) -> list[Hits]:
        """The k nearest pictures of each query; fewer when the gallery holds fewer. Raises as SearchIndex does."""
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        found = self._index.search(queries, k)
        return [self._merged(hits, query, k) for hits, query in zip(found, queries, strict=True)]

    def _merged(self, hits: Hits, query: Embedding, k: int) -> Hits:
        added = self._delta.nearest(query, k)
        ids = (*hits.ids, *added.ids)
        rows = np.concatenate([hits.rows, added.rows + len(self._index)])
        distances = np.concatenate([hits.distances, added.distances])
        order = sorted(range(len(ids)), key=lambda i: (distances[i], ids[i]))[:k]
        return Hits(rows[order], tuple(ids[i] for i in order), distances[order])


class GalleryView:
    """A snapshot and the pictures added since; it does not change."""

    def __init__(self, snapshot: Snapshot, delta: Delta) -> None:
        self.snapshot = snapshot
        self.delta = delta
        self.index = JoinedIndex(snapshot.index, delta)
        self.ids: Joined[str] = Joined(snapshot.ids, delta.ids)
        self.vectors: Joined[Embedding] = Joined(snapshot.vectors, delta.vectors)
        self.probabilities: Joined[Probabilities] = Joined(snapshot.probabilities, delta.probabilities)

    def probabilities_of(self, rows: Int64[np.ndarray, "m"]) -> ProbabilityRows:
        """The probabilities of several rows."""
        return np.stack([self.probabilities[row] for row in rows.tolist()])

    @property
    def manifest(self) -> SnapshotManifest:
        """Facts of the snapshot."""
        return self.snapshot.manifest

    def row_of(self, item_id: str) -> int | None:
        """Row of a picture; None when neither part holds it."""
        row = self.snapshot.row_of(item_id)
        if row is not None:
            return row
        added = self.delta.row_of(item_id)
        return None if added is None else len(self.snapshot.ids) + added


Searchable = Snapshot | GalleryView


def parts_of(gallery: Searchable) -> Sequence[Snapshot | Delta]:
    """What a gallery consists of, in the order of its rows."""
    return (gallery.snapshot, gallery.delta) if isinstance(gallery, GalleryView) else (gallery,)


def joined(snapshot: Snapshot, delta: Delta) -> Searchable:
    """Both as one; the snapshot itself while nothing was added."""
    return GalleryView(snapshot, delta) if len(delta) else snapshot


def made_by(manifest: SnapshotManifest) -> Made:
    """The model of a snapshot."""
    return Made(manifest.model_id, manifest.precision, manifest.dim, len(manifest.taxonomy))


def follow(snapshot: Snapshot, catalog: Catalog) -> DeltaReader:
    """What is added to a snapshot's gallery."""
    return DeltaReader(catalog, made_by(snapshot.manifest), lambda item_id: snapshot.row_of(item_id) is not None)
