"""The map of the gallery as GET /map tells it: columns, not points, so that many thousand are one small answer."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Int64
from pydantic import Field

from index.catalog import Catalog
from index.lookups import said_of
from index.projection import Positions
from index.snapshot import Snapshot
from index.spec import MapMethod, MapSpec
from index.view import Searchable, parts_of
from service.answers import Naming
from service.errors import MapMissingError
from service.schemas import Answer

SIDE: Final = 10_000
"""Places along the map's width; a screen shows fewer."""
_SAMPLE_SEED: Final = 0


class MapAnswer(Answer):
    """Answer of GET /map. The lists of points have one entry for each of them, in one order."""

    ids: list[str]
    x: list[int] = Field(description="From the left, 0 to 10000.")
    y: list[int] = Field(description="From the bottom, on the scale of `x`.")
    emotion: list[int] = Field(description="The predicted emotion, as its place in `emotions`.")
    label: list[int | None] = Field(description="The gallery's own label, as its place in `labels`; null without one.")
    emotions: list[str]
    labels: list[str] = Field(description="Every label of the points once; several of one picture are joined by `|`.")
    count: int = Field(description="Pictures that the index has a place for; above `limit` the points are a sample.")
    added: int = Field(description="Pictures added since; they have no place before the next build.")
    method: MapMethod = Field(description="How the gallery was laid flat.")
    kept: float = Field(description="Share of the 10 nearest pictures that are among the 10 nearest on the map.")
    index_version: str
    model_id: str


def draw_map(gallery: Searchable, catalog: Catalog, naming: Naming, ids: Sequence[str], limit: int) -> MapAnswer:
    """The places of a gallery's pictures, without those deleted since the index was made.

    Args:
        gallery: the live one.
        catalog: labels and states.
        naming: how the probabilities become emotions.
        ids: only of these; of all if empty.
        limit: most points; of more pictures a sample, the same at every call.

    Raises:
        MapMissingError: the index has no map.
    """
    snapshot = parts_of(gallery)[0]
    if not isinstance(snapshot, Snapshot) or snapshot.positions is None or snapshot.manifest.map is None:
        raise MapMissingError("this index was made before maps were drawn; the next rebuild draws one")
    rows = _rows(snapshot, ids, limit)
    said = said_of(catalog, [snapshot.ids[row] for row in rows.tolist()])
    shown = [row for row in rows.tolist() if (known := said.get(snapshot.ids[row])) is None or not known.is_deleted]
    labels = [known.label if (known := said.get(snapshot.ids[row])) else None for row in shown]
    n_added = len(gallery.ids) - len(snapshot.ids)
    return _answer(snapshot, snapshot.positions, snapshot.manifest.map, naming, np.array(shown, int), labels, n_added)


def _rows(snapshot: Snapshot, ids: Sequence[str], limit: int) -> Int64[np.ndarray, "p"]:
    """Ascending, each once."""
    if ids:
        found = {row for item_id in ids if (row := snapshot.row_of(item_id)) is not None}
        return np.array(sorted(found)[:limit], int)
    count = len(snapshot.ids)
    if count <= limit:
        return np.arange(count)
    return np.sort(np.random.default_rng(_SAMPLE_SEED).choice(count, limit, replace=False))


def _answer(
    snapshot: Snapshot,
    positions: Positions,
    spec: MapSpec,
    naming: Naming,
    rows: Int64[np.ndarray, "p"],
    labels: Sequence[str | None],
    n_added: int,
) -> MapAnswer:
    places = np.rint(positions[rows] * SIDE).astype(int)
    probabilities = snapshot.probabilities_of(rows)
    emotion = np.where(naming.emotion_mask(probabilities), probabilities, -1).argmax(axis=1)
    names = sorted({label for label in labels if label is not None})
    numbers = {name: number for number, name in enumerate(names)}
    return MapAnswer(
        ids=[snapshot.ids[row] for row in rows.tolist()],
        x=places[:, 0].tolist(),
        y=places[:, 1].tolist(),
        emotion=emotion.tolist(),
        label=[None if label is None else numbers[label] for label in labels],
        emotions=list(naming.taxonomy.names),
        labels=names,
        count=len(snapshot.ids),
        added=n_added,
        method=spec.method,
        kept=round(spec.kept, 4),
        index_version=snapshot.manifest.version,
        model_id=snapshot.manifest.model_id,
    )
