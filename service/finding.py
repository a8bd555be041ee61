"""What a search may be asked beside its picture, and how it is answered then."""

from dataclasses import dataclass, field, replace
from typing import Annotated

from fastapi import Depends, Query, Request

from emotion.arrays import Embedding
from emotion.errors import TaxonomyError
from emotion.taxonomy import Polarity
from index.view import Searchable
from service.answers import find_similar, shown_picture
from service.deps import Services, WantedK, services_of
from service.errors import InvalidParameterError
from service.filtering import Filters, find_filtered
from service.moods import blended
from service.schemas import NeighboursAnswer, SearchResult

DEFAULT_MOOD_WEIGHT = 0.3
_MAX_VALUES = 32


@dataclass(frozen=True)
class Wish:
    """Everything but the picture."""

    k: int
    filters: Filters = field(default_factory=Filters)
    mood: str | None = None
    mood_weight: float = DEFAULT_MOOD_WEIGHT
    """How far the query moves towards the mood; the same picture at 0, the mood alone at 1."""

    @property
    def is_plain(self) -> bool:
        """Whether only the nearest pictures are wanted."""
        return not self.filters and self.mood is None


async def wanted_filters(
    request: Request,
    emotion: Annotated[
        list[str] | None,
        Query(max_length=_MAX_VALUES, description="Only pictures of this predicted emotion; several: any of them."),
    ] = None,
    polarity: Annotated[Polarity | None, Query(description="Only pictures of this predicted side.")] = None,
    label: Annotated[
        list[str] | None,
        Query(max_length=_MAX_VALUES, description="Only pictures with this label of the gallery's; several: any."),
    ] = None,
    metadata: Annotated[
        list[str] | None,
        Query(max_length=_MAX_VALUES, description="`key:value`: only pictures with it; several: all of them."),
    ] = None,
    max_distance: Annotated[
        float | None, Query(ge=0, le=2, allow_inf_nan=False, description="Only pictures this near.")
    ] = None,
    dedupe: Annotated[
        bool, Query(description="Leave out a picture that is a nearer one again, resized or recompressed.")
    ] = False,
) -> Filters:
    """What a picture must fulfil to be a result; raises InvalidParameterError."""
    for name in emotion or ():
        _check_emotion(request, "emotion", name)
    return Filters(
        emotions=frozenset(emotion or ()),
        polarity=polarity,
        labels=frozenset(one.strip().casefold() for one in label or ()),
        metadata=frozenset(_pair(pair) for pair in metadata or ()),
        max_distance=max_distance,
        dedupe=dedupe,
    )


WantedFilters = Annotated[Filters, Depends(wanted_filters)]


async def picture_wish(
    request: Request,
    k: WantedK,
    filters: WantedFilters,
    mood: Annotated[
        str | None, Query(description="Move the query towards the middle of the gallery's pictures of this emotion.")
    ] = None,
    mood_weight: Annotated[
        float | None,
        Query(
            ge=0, le=1, allow_inf_nan=False, description=f"How far; 0 not at all. {DEFAULT_MOOD_WEIGHT} if left out."
        ),
    ] = None,
) -> Wish:
    """The wish beside a picture; raises InvalidParameterError."""
    if mood is None:
        if mood_weight is not None:
            raise InvalidParameterError("mood_weight: says how far to move towards a mood; name it: mood=awe")
        return Wish(k, filters)
    _check_emotion(request, "mood", mood)
    return Wish(k, filters, mood, DEFAULT_MOOD_WEIGHT if mood_weight is None else mood_weight)


PictureWish = Annotated[Wish, Depends(picture_wish)]


async def mood_wish(
    request: Request,
    k: WantedK,
    filters: WantedFilters,
    mood: Annotated[str, Query(description="An emotion of the model's label set.")],
) -> Wish:
    """The wish for a mood alone; raises InvalidParameterError."""
    _check_emotion(request, "mood", mood)
    return Wish(k, filters, mood, mood_weight=1.0)


MoodWish = Annotated[Wish, Depends(mood_wish)]


def find(
    parts: Services, gallery: Searchable, query: Embedding, wish: Wish, leave_out: str | None = None
) -> list[SearchResult]:
    """The nearest pictures that fulfil a wish, but for the one of this id."""
    catalog, naming = parts.store.catalog, parts.naming
    if wish.mood is not None:
        query = blended(query, parts.moods.centre(gallery, wish.mood), wish.mood_weight)
    if wish.filters:
        return find_filtered(gallery, catalog, naming, query, wish.k, wish.filters, parts.fingerprints, leave_out)
    return find_similar(gallery, catalog, naming, query, wish.k, leave_out)


def find_near(parts: Services, gallery: Searchable, item_id: str, wish: Wish) -> NeighboursAnswer:
    """A gallery picture and the nearest ones that fulfil a wish; raises UnknownImageError."""
    row, picture = shown_picture(gallery, parts.store.catalog, parts.naming, item_id)
    return NeighboursAnswer(
        picture=picture,
        results=find(parts, gallery, gallery.vectors[row], wish, leave_out=item_id),
        index_version=gallery.manifest.version,
        model_id=gallery.manifest.model_id,
    )


def find_mood(parts: Services, gallery: Searchable, wish: Wish) -> list[SearchResult]:
    """The pictures nearest to the middle of the wish's mood."""
    centre = parts.moods.centre(gallery, wish.mood or "")
    return find(parts, gallery, centre, replace(wish, mood=None))


def _check_emotion(request: Request, parameter: str, name: str) -> None:
    try:
        services_of(request).predictor.taxonomy.index(name)
    except TaxonomyError as error:
        raise InvalidParameterError(f"{parameter}: {error}") from error


def _pair(given: str) -> tuple[str, str]:
    key, separator, value = given.partition(":")
    if not (key and separator):
        raise InvalidParameterError(f"metadata: {given[:40]!r} is not of the form key:value")
    return key, value
