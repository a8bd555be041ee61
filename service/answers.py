"""From numbers to answers: what the model said, and what the index found."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from jaxtyping import Bool, Int64

from emotion.arrays import Embedding, Embeddings, Probabilities, ProbabilityRows
from emotion.taxonomy import Polarity, Taxonomy
from index.catalog import Catalog, CatalogEntry, PictureState
from index.ranking import Hits
from index.view import Searchable
from service.errors import UnknownImageError
from service.inference import Prediction
from service.schemas import (
    Classification,
    GalleryPicture,
    Mood,
    PolarityProbabilities,
    QueryMood,
    SearchResult,
)

DECIMALS: Final = 6


class Naming(NamedTuple):
    """How a model's probabilities become emotions, and ids addresses."""

    taxonomy: Taxonomy
    """Names of the probabilities."""
    thresholds: Probabilities | None = None
    """From which probability an emotion counts; None where a picture has exactly one."""
    root_path: str = ""
    """Stands before every URL: the path under which a proxy shows the service."""

    def emotions(self, probabilities: Probabilities) -> list[str] | None:
        """Those that reach their threshold, else the most probable; the most probable first, a tie in their order."""
        if self.thresholds is None:
            return None
        ranked = (-probabilities).argsort(kind="stable")
        reached = [self.taxonomy.names[i] for i in ranked if probabilities[i] >= self.thresholds[i]]
        return reached or [self.taxonomy.names[ranked[0]]]

    def emotion_mask(self, probabilities: ProbabilityRows) -> Bool[np.ndarray, "b c"]:
        """Which emotions each of several pictures has: what `emotions` names, or the most probable one."""
        likeliest = np.zeros(probabilities.shape, bool)
        likeliest[np.arange(len(probabilities)), probabilities.argmax(axis=1)] = True
        if self.thresholds is None:
            return likeliest
        reached = probabilities >= self.thresholds
        return np.where(reached.any(axis=1, keepdims=True), reached, likeliest)


def classification(naming: Naming, prediction: Prediction, model_id: str) -> Classification:
    """All that the model says of a picture."""
    return Classification(
        **_full_mood(naming, prediction.probabilities),
        familiarity=None if prediction.familiarity is None else _rounded(prediction.familiarity),
        unfamiliar=prediction.unfamiliar,
        model_id=model_id,
    )


def query_mood(naming: Naming, probabilities: Probabilities) -> QueryMood:
    """The model's opinion of a picture in full."""
    return QueryMood(**_full_mood(naming, probabilities))


def mood(naming: Naming, probabilities: Probabilities) -> Mood:
    """The model's opinion of a picture in short; polarity is the likelier side, not that of the emotion."""
    return moods(naming, probabilities[None])[0]


def moods(naming: Naming, probabilities: ProbabilityRows) -> list[Mood]:
    """Likewise of many pictures, one a row: ten hits cost little more than one."""
    sides = _sides(naming, probabilities)
    return [_mood(naming, row, side) for row, side in zip(probabilities, sides, strict=True)]


def find_similar(
    snapshot: Searchable, catalog: Catalog, naming: Naming, query: Embedding, k: int, leave_out: str | None = None
) -> list[SearchResult]:
    """The k gallery pictures nearest to a vector.

    Pictures deleted since the snapshot was made do not count: more are looked at until k are left or none.

    Args:
        snapshot: where to search.
        catalog: labels and states.
        naming: how the probabilities become emotions.
        query: normalised.
        k: how many, at least 1.
        leave_out: a picture's id.
    """
    wanted = k if leave_out is None else k + 1
    return _results(snapshot, catalog, naming, query[None], k, wanted, leave_out)[0]


def find_similar_many(
    snapshot: Searchable, catalog: Catalog, naming: Naming, queries: Embeddings, k: int
) -> list[list[SearchResult]]:
    """The k gallery pictures nearest to each vector, as `find_similar` gives them: one search, one look-up of ids."""
    return _results(snapshot, catalog, naming, queries, k, k)


def _results(
    snapshot: Searchable,
    catalog: Catalog,
    naming: Naming,
    queries: Embeddings,
    k: int,
    wanted: int,
    leave_out: str | None = None,
) -> list[list[SearchResult]]:
    """Look at the `wanted` nearest of each; at more for the queries of which fewer than k may be shown."""
    found = snapshot.index.search(queries, wanted)
    entries = catalog.get_many({item_id for hits in found for item_id in hits.ids})
    results = []
    for query, hits in zip(queries, found, strict=True):
        kept = [i for i, item_id in enumerate(hits.ids) if item_id != leave_out and is_shown(entries.get(item_id))]
        if len(kept) >= k or len(hits) < wanted or wanted == snapshot.index.most_hits:
            results.append(_shown(snapshot, naming, hits, kept[:k], entries))
        else:
            wider = min(2 * wanted, snapshot.index.most_hits)
            results += _results(snapshot, catalog, naming, query[None], k, wider, leave_out)
    return results


def _shown(
    snapshot: Searchable, naming: Naming, hits: Hits, kept: Sequence[int], entries: Mapping[str, CatalogEntry]
) -> list[SearchResult]:
    pictures = _pictures(snapshot, naming, hits.rows[list(kept)], entries)
    return [
        SearchResult(**picture, rank=rank, distance=_rounded(hits.distances[i]))
        for rank, (i, picture) in enumerate(zip(kept, pictures, strict=True), start=1)
    ]


def shown_picture(snapshot: Searchable, catalog: Catalog, naming: Naming, item_id: str) -> tuple[int, GalleryPicture]:
    """A gallery picture by its id, and its row; raises UnknownImageError when the index does not hold it."""
    row = snapshot.row_of(item_id)
    entry = catalog.get(item_id)
    if row is None or not is_shown(entry):
        raise UnknownImageError("no picture of the live index has this id")
    return row, gallery_picture(snapshot, naming, row, entry)


def gallery_picture(gallery: Searchable, naming: Naming, row: int, entry: CatalogEntry | None) -> GalleryPicture:
    """A picture of the gallery by its row."""
    entries = {} if entry is None else {entry.id: entry}
    (picture,) = _pictures(gallery, naming, np.array([row]), entries)
    return GalleryPicture(**picture)


def _pictures(
    snapshot: Searchable, naming: Naming, rows: Int64[np.ndarray, "m"], entries: Mapping[str, CatalogEntry]
) -> list[dict[str, Any]]:
    """The fields of GalleryPicture, by row of the snapshot."""
    opinions = moods(naming, snapshot.probabilities_of(rows))
    pictures = []
    for row, opinion in zip(rows.tolist(), opinions, strict=True):
        item_id = snapshot.ids[row]
        entry = entries.get(item_id)
        own = {
            "id": item_id,
            "label": entry.label if entry else None,
            "url": f"{naming.root_path}/images/{item_id}",
            "thumbnail_url": f"{naming.root_path}/images/{item_id}/thumbnail",
            "metadata": dict(entry.metadata) if entry else {},
            "external_id": entry.external_id if entry else None,
        }
        pictures.append(dict(opinion) | own)
    return pictures


def is_shown(entry: CatalogEntry | None) -> bool:
    """A picture the catalog does not know is shown without label; one deleted on purpose is not."""
    return entry is None or entry.state is not PictureState.DELETED


def _full_mood(naming: Naming, probabilities: Probabilities) -> dict[str, Any]:
    """The fields of QueryMood."""
    (sides,) = _sides(naming, probabilities[None])
    return {
        **dict(_mood(naming, probabilities, sides)),
        "probabilities": {
            name: _rounded(probability) for name, probability in zip(naming.taxonomy.names, probabilities, strict=True)
        },
        "polarity_probabilities": sides,
    }


def _mood(naming: Naming, probabilities: Probabilities, sides: PolarityProbabilities | None) -> Mood:
    emotions = naming.emotions(probabilities)
    names = naming.taxonomy.names
    best = int(probabilities.argmax()) if emotions is None else names.index(emotions[0])
    polarity = None
    if sides is not None:
        polarity = Polarity.POSITIVE if sides.positive >= sides.negative else Polarity.NEGATIVE
    confidence = _rounded(probabilities[best])
    return Mood(emotion=names[best], emotions=emotions, polarity=polarity, confidence=confidence)


def _sides(naming: Naming, probabilities: ProbabilityRows) -> Sequence[PolarityProbabilities | None]:
    """Of each picture; None where the label set has not two sides."""
    several = naming.thresholds is not None
    sides = naming.taxonomy.polarity_probabilities(probabilities, several=several)
    if not sides:
        return [None] * len(probabilities)
    pairs = zip(sides[Polarity.POSITIVE].tolist(), sides[Polarity.NEGATIVE].tolist(), strict=True)
    return [PolarityProbabilities(positive=_rounded(one), negative=_rounded(other)) for one, other in pairs]


def _rounded(number: float) -> float:
    """float32 noise off: six decimals are more than the model knows."""
    return round(float(number), DECIMALS)
