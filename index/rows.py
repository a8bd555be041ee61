"""Ids, vectors and probabilities that belong together, row by row."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from emotion.arrays import Embeddings, ProbabilityRows


@dataclass(frozen=True)
class GalleryRows:
    """What the model said of some pictures."""

    ids: tuple[str, ...]
    vectors: Embeddings
    probabilities: ProbabilityRows

    @classmethod
    def empty(cls, dim: int, n_emotions: int) -> "GalleryRows":
        """No rows, of the right widths."""
        return cls((), np.empty((0, dim), np.float32), np.empty((0, n_emotions), np.float32))

    def __post_init__(self) -> None:
        if not len(self.ids) == len(self.vectors) == len(self.probabilities):
            raise ValueError(
                f"{len(self.ids)} ids, {len(self.vectors)} vectors and {len(self.probabilities)} probability rows"
            )

    def __len__(self) -> int:
        return len(self.ids)


class KnownRows:
    """Rows from several sources, found by id without copying them; the source added last wins."""

    def __init__(self, sources: Iterable[GalleryRows] = ()) -> None:
        self._where: dict[str, tuple[GalleryRows, int]] = {}
        for source in sources:
            self.add(source)

    def __contains__(self, item_id: str) -> bool:
        return item_id in self._where

    def add(self, rows: GalleryRows) -> None:
        """Make rows known."""
        self._where.update({item_id: (rows, row) for row, item_id in enumerate(rows.ids)})

    def gather(self, ids: Sequence[str]) -> GalleryRows:
        """The rows of ids that are known, in that order, in one block of memory."""
        places = [self._where[item_id] for item_id in ids]
        return GalleryRows(
            tuple(ids),
            np.stack([rows.vectors[row] for rows, row in places]),
            np.stack([rows.probabilities[row] for rows, row in places]),
        )


def encode_ids(ids: Sequence[str]) -> np.ndarray:
    """Ids as fixed-width bytes, which npy holds without pickle."""
    return np.array([item_id.encode() for item_id in ids], dtype=np.bytes_)


def decode_ids(array: np.ndarray) -> tuple[str, ...]:
    """The inverse of encode_ids."""
    return tuple(item_id.decode() for item_id in array.tolist())
