"""Searches that only some pictures may answer: those of a mood, a label, near enough, not the same one twice.

First the index is asked for more and more neighbours. Where that is not enough, because few pictures pass, every
picture is compared: then the answer is exact even on an approximate index.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from emotion.arrays import Embedding, ProbabilityRows
from emotion.taxonomy import Polarity
from index.catalog import Catalog, CatalogEntry
from index.ranking import Hits, exact_distances
from index.view import Searchable, parts_of
from service.answers import DECIMALS, Naming, gallery_picture, is_shown
from service.fingerprints import Fingerprints, is_same
from service.schemas import SearchResult

MOST_ASKED_OF_INDEX: Final = 2048
"""A comparison with everything is not much dearer then."""
MOST_COMPARED: Final = 512
"""Pictures that one search without duplicates looks at: the first look at each costs a thumbnail."""
_FIRST_FACTOR: Final = 4
_BLOCK_ROWS: Final = 16_384


@dataclass(frozen=True)
class Filters:
    """What a picture must fulfil; without any, all do."""

    emotions: frozenset[str] = frozenset()
    """One of these is its predicted emotion, or among them with a model of several."""
    polarity: Polarity | None = None
    labels: frozenset[str] = frozenset()
    """One of these is among its labels; lower case."""
    metadata: frozenset[tuple[str, str]] = frozenset()
    """All of these stand in its metadata."""
    max_distance: float | None = None
    dedupe: bool = False
    """Leave out what is the same picture as a nearer one, or nearly."""

    def __bool__(self) -> bool:
        return self != Filters()


def find_filtered(
    gallery: Searchable,
    catalog: Catalog,
    naming: Naming,
    query: Embedding,
    k: int,
    filters: Filters,
    fingerprints: Fingerprints,
    leave_out: str | None = None,
) -> list[SearchResult]:
    """The k nearest pictures that pass; fewer when fewer do, or when most of the 512 nearest are one picture.

    The picture `leave_out` is none of them; without duplicates, neither is one that is it again.
    """
    search = _FilteredSearch(gallery, catalog, naming, query, k, filters, fingerprints, leave_out)
    wanted = _FIRST_FACTOR * k
    while wanted <= min(MOST_ASKED_OF_INDEX, gallery.index.most_hits):
        hits = gallery.index.search(query[None], wanted)[0]
        if search.take(hits) or len(hits) < wanted:
            return search.results()
        wanted *= _FIRST_FACTOR
    search.take_all()
    return search.results()


class _Kept(NamedTuple):
    row: int
    distance: float
    entry: CatalogEntry | None


@dataclass
class _FilteredSearch:
    gallery: Searchable
    catalog: Catalog
    naming: Naming
    query: Embedding
    k: int
    filters: Filters
    fingerprints: Fingerprints
    leave_out: str | None
    _kept: list[_Kept] = field(default_factory=list)
    _seen: list[int] = field(default_factory=list)
    """Fingerprints of the kept pictures."""
    _n_compared: int = 0

    def take(self, hits: Hits) -> bool:
        """Start anew with these neighbours, nearest first; whether no further ones are needed."""
        self._start()
        mask = self._mood_passes(np.stack([self.gallery.probabilities[int(row)] for row in hits.rows]))
        return self._take_more(hits.rows, hits.distances, mask)

    def take_all(self) -> None:
        """Start anew with the whole gallery, a block at a time in the order of distance."""
        self._start()
        mask = np.concatenate([self._mood_passes(part.probabilities) for part in parts_of(self.gallery)])
        distances = _all_distances(self.gallery, self.query)
        rows = np.flatnonzero(mask)
        rows = rows[np.lexsort((_id_order(self.gallery)[rows], distances[rows]))]
        for start in range(0, len(rows), MOST_ASKED_OF_INDEX):
            block = rows[start : start + MOST_ASKED_OF_INDEX]
            if self._take_more(block, distances[block], np.ones(len(block), bool)):
                return

    def results(self) -> list[SearchResult]:
        """What was kept, ranked."""
        return [
            SearchResult(
                **gallery_picture(self.gallery, self.naming, kept.row, kept.entry).model_dump(),
                rank=rank,
                distance=round(kept.distance, DECIMALS),
            )
            for rank, kept in enumerate(self._kept, start=1)
        ]

    def _start(self) -> None:
        self._kept, self._seen, self._n_compared = [], [], 0
        if self.leave_out is not None:
            self._is_new(self.leave_out)

    def _take_more(
        self, rows: Int64[np.ndarray, "n"], distances: Float32[np.ndarray, "n"], passes: Bool[np.ndarray, "n"]
    ) -> bool:
        limit = np.inf if self.filters.max_distance is None else self.filters.max_distance
        near = distances <= limit
        places = np.flatnonzero(passes & near).tolist()
        ids = {i: self.gallery.ids[int(rows[i])] for i in places}
        entries = self.catalog.get_many(ids.values())
        for i in places:
            entry = entries.get(ids[i])
            if ids[i] != self.leave_out and self._entry_passes(entry) and self._is_new(ids[i]):
                self._kept.append(_Kept(int(rows[i]), float(distances[i]), entry))
            if len(self._kept) == self.k or self._n_compared == MOST_COMPARED:
                return True
        return not near.all()

    def _mood_passes(self, probabilities: ProbabilityRows) -> Bool[np.ndarray, "n"]:
        passes = np.ones(len(probabilities), bool)
        names = self.naming.taxonomy.names
        if self.filters.emotions:
            chosen = np.array([name in self.filters.emotions for name in names])
            passes &= (self.naming.emotion_mask(probabilities) & chosen).any(axis=1)
        if self.filters.polarity is not None:
            several = self.naming.thresholds is not None
            sides = self.naming.taxonomy.polarity_probabilities(probabilities, several=several)
            if not sides:
                return np.zeros(len(probabilities), bool)
            # Rounded as the answer shows them, so that no picture is answered with the other side.
            positive = np.round(sides[Polarity.POSITIVE], 6) >= np.round(sides[Polarity.NEGATIVE], 6)
            passes &= positive == (self.filters.polarity is Polarity.POSITIVE)
        return passes

    def _entry_passes(self, entry: CatalogEntry | None) -> bool:
        if not is_shown(entry):
            return False
        labels = {part.strip().casefold() for part in (entry.label or "").split("|")} if entry else set()
        metadata = entry.metadata if entry else {}
        return (not self.filters.labels or bool(self.filters.labels & labels)) and all(
            metadata.get(key) == value for key, value in self.filters.metadata
        )

    def _is_new(self, item_id: str) -> bool:
        if not self.filters.dedupe:
            return True
        self._n_compared += 1
        own = self.fingerprints.of(item_id)
        if own is None:
            return True
        if any(is_same(own, other) for other in self._seen):
            return False
        self._seen.append(own)
        return True


def _all_distances(gallery: Searchable, query: Embedding) -> Float32[np.ndarray, "n"]:
    return np.concatenate([block for part in parts_of(gallery) for block in _distance_blocks(part.vectors, query)])


def _distance_blocks(vectors: np.ndarray, query: Embedding) -> Iterator[Float32[np.ndarray, "b"]]:
    """Block by block, so that a large memory-mapped gallery fits."""
    for start in range(0, len(vectors), _BLOCK_ROWS):
        yield exact_distances(np.asarray(vectors[start : start + _BLOCK_ROWS]), query)


def _id_order(gallery: Searchable) -> Float64[np.ndarray, "n"]:
    """Numbers that ascend as the ids do: rows of the snapshot are in that order, added ones stand between them."""
    snapshot, *rest = parts_of(gallery)
    order = np.arange(len(snapshot.ids), dtype=np.float64)
    if not rest:
        return order
    added = np.array(rest[0].ids)
    behind = np.searchsorted(np.array(snapshot.ids), added) - 1
    place = np.argsort(np.argsort(added))
    return np.concatenate([order, behind + (place + 1) / (len(added) + 1)])
