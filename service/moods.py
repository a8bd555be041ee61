"""Moods as places in the space of embeddings: where the gallery's pictures of a mood have their middle."""

import threading
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from emotion.arrays import Embedding
from index.delta import Delta
from index.snapshot import Snapshot
from index.view import Searchable, parts_of
from service.answers import Naming
from service.errors import InvalidParameterError

_BLOCK_ROWS: Final = 16_384


class _Sums(NamedTuple):
    vectors: Float64[np.ndarray, "c d"]
    """Of the pictures of each mood, summed."""
    counts: Int64[np.ndarray, "c"]


class MoodCentres:
    """The middles, by predicted emotion; a picture deleted since the snapshot was made counts until the next one.

    A snapshot's sums are made when first asked for and kept while it is live; for any number of threads.
    """

    def __init__(self, naming: Naming) -> None:
        self._naming = naming
        self._snapshot: Snapshot | None = None
        self._sums: _Sums | None = None
        self._one_at_a_time = threading.Lock()

    def centre(self, gallery: Searchable, mood: str) -> Embedding:
        """The normalised mean embedding of a mood's pictures.

        Raises:
            InvalidParameterError: no picture of the gallery is in this mood.
        """
        column = self._naming.taxonomy.index(mood)
        snapshot, *rest = parts_of(gallery)
        sums = [self._of_snapshot(snapshot), *(_sums(self._naming, part) for part in rest)]
        if not sum(int(one.counts[column]) for one in sums):
            raise InvalidParameterError(f"mood: the gallery has no picture whose predicted emotion is {mood}")
        return normalised(np.sum([one.vectors[column] for one in sums], axis=0))

    def _of_snapshot(self, snapshot: Snapshot | Delta) -> _Sums:
        with self._one_at_a_time:
            if self._sums is None or self._snapshot is not snapshot:
                self._sums = _sums(self._naming, snapshot)
                self._snapshot = snapshot if isinstance(snapshot, Snapshot) else None
            return self._sums


def blended(query: Embedding, centre: Embedding, weight: float) -> Embedding:
    """The query moved towards a mood's middle and normalised again; weight 0 leaves it, 1 forgets it."""
    return normalised((1 - weight) * query.astype(np.float64) + weight * centre)


def normalised(vector: np.ndarray) -> Embedding:
    """Of length 1, in float32."""
    length = max(float(np.linalg.norm(vector)), float(np.finfo(np.float32).tiny))
    return np.asarray(vector / length, dtype=np.float32)


def _sums(naming: Naming, part: Snapshot | Delta) -> _Sums:
    n_moods, dim = len(naming.taxonomy.names), part.vectors.shape[1]
    vectors, counts = np.zeros((n_moods, dim)), np.zeros(n_moods, np.int64)
    for start in range(0, len(part.ids), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        mask = naming.emotion_mask(np.asarray(part.probabilities[block]))
        vectors += mask.T.astype(np.float64) @ np.asarray(part.vectors[block], dtype=np.float64)
        counts += mask.sum(axis=0)
    return _Sums(vectors, counts)
