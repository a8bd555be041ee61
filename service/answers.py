"""From numbers to answers: what the model said, and what the index found."""

from emotion.arrays import Embedding, Probabilities
from emotion.taxonomy import Polarity, Taxonomy
from index.catalog import Catalog, CatalogEntry, PictureState
from index.snapshot import Snapshot
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

_DECIMALS = 6


def classification(taxonomy: Taxonomy, prediction: Prediction, model_id: str) -> Classification:
    """All that the model says of a picture."""
    return Classification(
        **query_mood(taxonomy, prediction.probabilities).model_dump(),
        familiarity=None if prediction.familiarity is None else _rounded(prediction.familiarity),
        unfamiliar=prediction.unfamiliar,
        model_id=model_id,
    )


def query_mood(taxonomy: Taxonomy, probabilities: Probabilities) -> QueryMood:
    """The model's opinion of a picture in full."""
    return QueryMood(
        **mood(taxonomy, probabilities).model_dump(),
        probabilities={
            name: _rounded(probability) for name, probability in zip(taxonomy.names, probabilities, strict=True)
        },
        polarity_probabilities=_polarity_probabilities(taxonomy, probabilities),
    )


def mood(taxonomy: Taxonomy, probabilities: Probabilities) -> Mood:
    """The model's opinion of a picture in short; polarity is the larger sum, not the side of the emotion."""
    best = int(probabilities.argmax())
    sides = _polarity_probabilities(taxonomy, probabilities)
    polarity = None
    if sides is not None:
        polarity = Polarity.POSITIVE if sides.positive >= sides.negative else Polarity.NEGATIVE
    return Mood(emotion=taxonomy.names[best], polarity=polarity, confidence=_rounded(probabilities[best]))


def find_similar(
    snapshot: Snapshot, catalog: Catalog, taxonomy: Taxonomy, query: Embedding, k: int, leave_out: str | None = None
) -> list[SearchResult]:
    """The k gallery pictures nearest to a vector.

    Pictures deleted since the snapshot was made do not count: more are looked at until k are left or none.

    Args:
        snapshot: where to search.
        catalog: labels and states.
        taxonomy: names of the probabilities.
        query: normalised.
        k: how many, at least 1.
        leave_out: a picture's id.
    """
    wanted = k if leave_out is None else k + 1
    while True:
        hits = snapshot.index.search(query[None], wanted)[0]
        entries = catalog.get_many(hits.ids)
        kept = [i for i, item_id in enumerate(hits.ids) if item_id != leave_out and _is_shown(entries.get(item_id))]
        if len(kept) >= k or len(hits) < wanted:
            break
        wanted *= 2
    return [
        SearchResult(
            **_picture(snapshot, taxonomy, int(hits.rows[i]), entries.get(hits.ids[i])).model_dump(),
            rank=rank,
            distance=_rounded(hits.distances[i]),
        )
        for rank, i in enumerate(kept[:k], start=1)
    ]


def neighbours(snapshot: Snapshot, catalog: Catalog, taxonomy: Taxonomy, item_id: str, k: int) -> NeighboursAnswer:
    """A gallery picture and those nearest to it; raises UnknownImageError when the index does not hold it."""
    row = snapshot.row_of(item_id)
    entry = catalog.get(item_id)
    if row is None or not _is_shown(entry):
        raise UnknownImageError("no picture of the live index has this id")
    return NeighboursAnswer(
        picture=_picture(snapshot, taxonomy, row, entry),
        results=find_similar(snapshot, catalog, taxonomy, snapshot.vectors[row], k, leave_out=item_id),
        index_version=snapshot.manifest.version,
        model_id=snapshot.manifest.model_id,
    )


def _picture(snapshot: Snapshot, taxonomy: Taxonomy, row: int, entry: CatalogEntry | None) -> GalleryPicture:
    item_id = snapshot.ids[row]
    return GalleryPicture(
        **mood(taxonomy, snapshot.probabilities[row]).model_dump(),
        id=item_id,
        label=entry.label if entry else None,
        url=f"/images/{item_id}",
        thumbnail_url=f"/images/{item_id}/thumbnail",
        metadata=dict(entry.metadata) if entry else {},
    )


def _is_shown(entry: CatalogEntry | None) -> bool:
    """A picture the catalog does not know is shown without label; one deleted on purpose is not."""
    return entry is None or entry.state is not PictureState.DELETED


def _polarity_probabilities(taxonomy: Taxonomy, probabilities: Probabilities) -> PolarityProbabilities | None:
    sides = taxonomy.polarity_probabilities(probabilities[None])
    if not sides:
        return None
    return PolarityProbabilities(**{side.value: _rounded(values[0]) for side, values in sides.items()})


def _rounded(number: float) -> float:
    """float32 noise off: six decimals are more than the model knows."""
    return round(float(number), _DECIMALS)
