"""Ids, vectors and probabilities that belong together, row by row."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, overload

import numpy as np
from jaxtyping import Int64

from emotion.arrays import Embeddings, ProbabilityRows

_DECODE_ROWS: Final = 4096


class PictureIds(Sequence[str]):
    """Ids as they lie in a file, made into text one by one when asked for.

    A tuple of a million strings takes 90 MB, and a fifth of a second to make and to free, during which no other Python
    thread runs: a service that takes a new snapshot would stand still.

    Args:
        encoded: what `encode_ids` gave; may be a memory map.
    """

    def __init__(self, encoded: np.ndarray) -> None:
        self.encoded = encoded

    def __len__(self) -> int:
        return len(self.encoded)

    @overload
    def __getitem__(self, row: int) -> str: ...

    @overload
    def __getitem__(self, row: slice) -> Sequence[str]: ...

    def __getitem__(self, row: int | slice) -> str | Sequence[str]:
        if isinstance(row, slice):
            return decode_ids(self.encoded[row])
        item_id: str = self.encoded[row].item().decode()
        return item_id

    def take(self, rows: Int64[np.ndarray, "m"]) -> tuple[str, ...]:
        """The ids of several rows: a third of the time of one by one."""
        return decode_ids(self.encoded[rows])

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), _DECODE_ROWS):
            yield from decode_ids(self.encoded[start : start + _DECODE_ROWS])

    def __eq__(self, other: object) -> bool:
        if isinstance(other, PictureIds):
            return np.array_equal(self.encoded, other.encoded)
        return isinstance(other, tuple) and tuple(self) == other

    def __hash__(self) -> int:
        return hash(tuple(self))


@dataclass(frozen=True)
class GalleryRows:
    """What the model said of some pictures."""

    ids: Sequence[str]
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
    if isinstance(ids, PictureIds):
        return ids.encoded
    return np.array([item_id.encode() for item_id in ids], dtype=np.bytes_)


def decode_ids(array: np.ndarray) -> tuple[str, ...]:
    """The inverse of encode_ids."""
    return tuple(item_id.decode() for item_id in array.tolist())
