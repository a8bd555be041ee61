"""From numbers to answers: what the model said, and what the index found."""

from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Bool

from emotion.arrays import Embedding, Probabilities, ProbabilityRows
from emotion.taxonomy import Polarity, Taxonomy
from index.catalog import Catalog, CatalogEntry, PictureState
from index.view import Searchable
from service.errors import UnknownImageError
from service.inference import Prediction
from service.schemas import (
    Classification,
    GalleryPicture,
    Mood,
    NeighboursAnswer,
    PolarityProbabilities,
    QueryMood,
    SearchResult,
)

DECIMALS: Final = 6


class Naming(NamedTuple):
    """How a model's probabilities become emotions."""

    taxonomy: Taxonomy
    """Names of the probabilities."""
    thresholds: Probabilities | None = None
    """From which probability an emotion counts; None where a picture has exactly one."""

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
        **query_mood(naming, prediction.probabilities).model_dump(),
        familiarity=None if prediction.familiarity is None else _rounded(prediction.familiarity),
        unfamiliar=prediction.unfamiliar,
        model_id=model_id,
    )


def query_mood(naming: Naming, probabilities: Probabilities) -> QueryMood:
    """The model's opinion of a picture in full."""
    return QueryMood(
        **mood(naming, probabilities).model_dump(),
        probabilities={
            name: _rounded(probability) for name, probability in zip(naming.taxonomy.names, probabilities, strict=True)
        },
        polarity_probabilities=_polarity_probabilities(naming, probabilities),
    )


def mood(naming: Naming, probabilities: Probabilities) -> Mood:
    """The model's opinion of a picture in short; polarity is the likelier side, not that of the emotion."""
    emotions = naming.emotions(probabilities)
    names = naming.taxonomy.names
    best = int(probabilities.argmax()) if emotions is None else names.index(emotions[0])
    sides = _polarity_probabilities(naming, probabilities)
    polarity = None
    if sides is not None:
        polarity = Polarity.POSITIVE if sides.positive >= sides.negative else Polarity.NEGATIVE
    confidence = _rounded(probabilities[best])
    return Mood(emotion=names[best], emotions=emotions, polarity=polarity, confidence=confidence)


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
    while True:
        hits = snapshot.index.search(query[None], wanted)[0]
        entries = catalog.get_many(hits.ids)
        kept = [i for i, item_id in enumerate(hits.ids) if item_id != leave_out and is_shown(entries.get(item_id))]
        if len(kept) >= k or len(hits) < wanted or wanted == snapshot.index.most_hits:
            break
        wanted = min(2 * wanted, snapshot.index.most_hits)
    return [
        SearchResult(
            **gallery_picture(snapshot, naming, int(hits.rows[i]), entries.get(hits.ids[i])).model_dump(),
            rank=rank,
            distance=_rounded(hits.distances[i]),
        )
        for rank, i in enumerate(kept[:k], start=1)
    ]


def neighbours(snapshot: Searchable, catalog: Catalog, naming: Naming, item_id: str, k: int) -> NeighboursAnswer:
    """A gallery picture and those nearest to it; raises UnknownImageError when the index does not hold it."""
    row = snapshot.row_of(item_id)
    entry = catalog.get(item_id)
    if row is None or not is_shown(entry):
        raise UnknownImageError("no picture of the live index has this id")
    return NeighboursAnswer(
        picture=gallery_picture(snapshot, naming, row, entry),
        results=find_similar(snapshot, catalog, naming, snapshot.vectors[row], k, leave_out=item_id),
        index_version=snapshot.manifest.version,
        model_id=snapshot.manifest.model_id,
    )


def gallery_picture(snapshot: Searchable, naming: Naming, row: int, entry: CatalogEntry | None) -> GalleryPicture:
    """A picture of the gallery by its row."""
    item_id = snapshot.ids[row]
    return GalleryPicture(
        **mood(naming, snapshot.probabilities[row]).model_dump(),
        id=item_id,
        label=entry.label if entry else None,
        url=f"/images/{item_id}",
        thumbnail_url=f"/images/{item_id}/thumbnail",
        metadata=dict(entry.metadata) if entry else {},
        external_id=entry.external_id if entry else None,
    )


def is_shown(entry: CatalogEntry | None) -> bool:
    """A picture the catalog does not know is shown without label; one deleted on purpose is not."""
    return entry is None or entry.state is not PictureState.DELETED


def _polarity_probabilities(naming: Naming, probabilities: Probabilities) -> PolarityProbabilities | None:
    several = naming.thresholds is not None
    sides = naming.taxonomy.polarity_probabilities(probabilities[None], several=several)
    if not sides:
        return None
    return PolarityProbabilities(**{side.value: _rounded(values[0]) for side, values in sides.items()})


def _rounded(number: float) -> float:
    """float32 noise off: six decimals are more than the model knows."""
    return round(float(number), DECIMALS)
