"""Pictures added since a snapshot was made: their rows in the catalog, and a searchable copy in memory.

A row is written in the transaction that makes its picture known, so there is no moment at which one stands without
the other. It belongs to the model that made it, not to a snapshot: it stays until every version on disk that this
model made holds the picture, so that a rollback loses nothing.
"""

import sqlite3
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from emotion.arrays import Embedding, Embeddings, Probabilities, ProbabilityRows
from index.catalog import Catalog
from index.ranking import Hits, exact_distances
from index.rows import GalleryRows

_FLOAT32 = np.dtype("<f4")
_FIRST_CAPACITY = 64


class Made(NamedTuple):
    """Whose vectors can be compared with each other."""

    model_id: str
    precision: str
    dim: int
    n_emotions: int


class AddedRow(NamedTuple):
    """What the model said of one added picture."""

    id: str
    vector: Embedding
    probabilities: Probabilities


class ReadRows(NamedTuple):
    """What was added after some point."""

    rows: list[AddedRow]
    damaged: tuple[str, ...]
    """Ids whose numbers differ from their checksum; the next build embeds these pictures again."""
    last: int
    """Read on from here."""


def insert_row(connection: sqlite3.Connection, made: Made, row: AddedRow) -> None:
    """Write a row inside the caller's transaction; one of the same picture and model is replaced."""
    vector, probabilities = row.vector.astype(_FLOAT32).tobytes(), row.probabilities.astype(_FLOAT32).tobytes()
    connection.execute(
        "INSERT OR REPLACE INTO added (id, model_id, precision, vector, probabilities, checksum) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (row.id, made.model_id, made.precision, vector, probabilities, _checksum(row.id, vector, probabilities)),
    )


def read_rows(catalog: Catalog, made: Made, after: int = 0) -> ReadRows:
    """Rows of a model, in the order in which they came, without those of pictures that are not active any more."""
    found = catalog.select(
        "SELECT added.* FROM added JOIN pictures USING (id) "
        "WHERE model_id = ? AND precision = ? AND seq > ? AND state = 'active' ORDER BY seq",
        made.model_id,
        made.precision,
        after,
    )
    rows = [_decoded(row, made) for row in found]
    return ReadRows(
        rows=[row for row in rows if row is not None],
        damaged=tuple(raw["id"] for raw, row in zip(found, rows, strict=True) if row is None),
        last=found[-1]["seq"] if found else after,
    )


def gallery_rows(rows: Collection[AddedRow], made: Made) -> GalleryRows:
    """Rows in one block of memory."""
    if not rows:
        return GalleryRows.empty(made.dim, made.n_emotions)
    ids, vectors, probabilities = zip(*rows, strict=True)
    return GalleryRows(ids, np.stack(vectors), np.stack(probabilities))


def drop_rows(catalog: Catalog, held: Callable[[str, str], Collection[str] | None]) -> int:
    """Forget the rows that no search can need any more; returns how many.

    Args:
        catalog: with the rows.
        held: told a model and a precision: ids that every version on disk of that model holds; None when there is no
            version of it.
    """
    kinds = catalog.select("SELECT DISTINCT model_id, precision FROM added")
    if not kinds:
        return 0
    held_ids = {tuple(kind): held(*kind) for kind in kinds}  # read before, so that no addition waits for it
    n_dropped = 0
    with catalog.writing() as connection:
        for (model_id, precision), ids in held_ids.items():
            of_kind = "FROM added WHERE model_id = ? AND precision = ?"
            doomed = [
                (seq,)
                for seq, item_id in connection.execute(f"SELECT seq, id {of_kind}", (model_id, precision))
                if ids is None or item_id in ids
            ]
            n_dropped += connection.executemany("DELETE FROM added WHERE seq = ?", doomed).rowcount if doomed else 0
        inactive = "DELETE FROM added WHERE id NOT IN (SELECT id FROM pictures WHERE state = 'active')"
        n_dropped += connection.execute(inactive).rowcount
    return n_dropped


@dataclass(frozen=True)
class Delta:
    """Added pictures, ready to be searched; what is added later makes another one."""

    ids: tuple[str, ...]
    """In the order in which they came."""
    vectors: Embeddings
    probabilities: ProbabilityRows
    rows_by_id: Mapping[str, int]
    """May know later pictures too."""

    def __len__(self) -> int:
        return len(self.ids)

    def row_of(self, item_id: str) -> int | None:
        """Row of a picture; None when it is not here."""
        row = self.rows_by_id.get(item_id, len(self))
        return row if row < len(self) else None

    def nearest(self, query: Embedding, k: int) -> Hits:
        """The k nearest, by exact distances, equal ones in the order of their ids."""
        rows = self._candidates(query, k)
        distances = exact_distances(self.vectors[rows], query)
        order = sorted(range(len(rows)), key=lambda i: (distances[i], self.ids[rows[i]]))[:k]
        return Hits(rows[order], tuple(self.ids[row] for row in rows[order].tolist()), distances[order])

    def _candidates(self, query: Embedding, k: int) -> np.ndarray:
        """Rows that may belong to the k nearest: float32 sums order all but those within their own rounding."""
        if k >= len(self):
            return np.arange(len(self))
        squared_norms = np.einsum("nd,nd->n", self.vectors, self.vectors)
        squared = squared_norms - 2 * (self.vectors @ query) + query @ query
        # The textbook bound on a sum of d products, for each of the three sums.
        d_eps = 3 * (self.vectors.shape[1] + 2) * np.finfo(np.float32).eps
        error = d_eps * (float(np.linalg.norm(query)) + float(np.sqrt(squared_norms.max()))) ** 2
        return np.flatnonzero(squared <= np.partition(squared, k - 1)[k - 1] + 2 * error)


class DeltaReader:
    """Follows a model's added pictures for one snapshot; for one thread at a time.

    Args:
        catalog: where they are written.
        made: by which model.
        in_snapshot: whether the snapshot holds a picture, which then does not count as added.
    """

    def __init__(self, catalog: Catalog, made: Made, in_snapshot: Callable[[str], bool]) -> None:
        self._catalog = catalog
        self._made = made
        self._in_snapshot = in_snapshot
        self._last = 0
        self._ids: list[str] = []
        self._rows_by_id: dict[str, int] = {}
        self._vectors = np.empty((_FIRST_CAPACITY, made.dim), np.float32)
        self._probabilities = np.empty((_FIRST_CAPACITY, made.n_emotions), np.float32)
        self._delta = self._view()
        self.damaged: frozenset[str] = frozenset()
        """Pictures that are left out until the next build."""

    def refresh(self) -> Delta:
        """Everything added so far; the same object while nothing was."""
        read = read_rows(self._catalog, self._made, self._last)
        self._last = read.last
        self.damaged |= {item_id for item_id in read.damaged if not self._in_snapshot(item_id)}
        news = {row.id: row for row in read.rows if row.id not in self._rows_by_id and not self._in_snapshot(row.id)}
        if news:
            self._extend(gallery_rows(list(news.values()), self._made))
            self._delta = self._view()
        return self._delta

    def _extend(self, rows: GalleryRows) -> None:
        """Behind the rows that earlier views show; a full buffer is replaced by one of twice the size."""
        n, needed = len(self._ids), len(self._ids) + len(rows)
        if needed > len(self._vectors):
            capacity = max(needed, 2 * len(self._vectors))
            self._vectors = _grown(self._vectors[:n], capacity)
            self._probabilities = _grown(self._probabilities[:n], capacity)
        self._vectors[n:needed] = rows.vectors
        self._probabilities[n:needed] = rows.probabilities
        self._ids += rows.ids
        self._rows_by_id.update({item_id: n + i for i, item_id in enumerate(rows.ids)})

    def _view(self) -> Delta:
        n = len(self._ids)
        return Delta(tuple(self._ids), self._vectors[:n], self._probabilities[:n], self._rows_by_id)


def _grown(rows: np.ndarray, capacity: int) -> np.ndarray:
    larger = np.empty((capacity, rows.shape[1]), rows.dtype)
    larger[: len(rows)] = rows
    return larger


def _decoded(row: sqlite3.Row, made: Made) -> AddedRow | None:
    vector, probabilities = row["vector"], row["probabilities"]
    if not (isinstance(row["id"], str) and isinstance(vector, bytes) and isinstance(probabilities, bytes)):
        return None  # in SQLite a damaged byte can change a value's type
    sizes = (len(vector), len(probabilities))
    if sizes != (4 * made.dim, 4 * made.n_emotions) or _checksum(row["id"], vector, probabilities) != row["checksum"]:
        return None
    return AddedRow(row["id"], np.frombuffer(vector, _FLOAT32), np.frombuffer(probabilities, _FLOAT32))


def _checksum(item_id: str, vector: bytes, probabilities: bytes) -> int:
    return zlib.crc32(item_id.encode() + vector + probabilities)
