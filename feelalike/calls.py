"""Every request of the API as a value: what is sent, how the answer is read, whether it may be sent again."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypedDict, TypeVar
from urllib.parse import quote

from feelalike.models import (
    AddAnswer,
    Answer,
    Classification,
    ClassifyBatchAnswer,
    DetailsAnswer,
    Embedding,
    GalleryMap,
    GalleryPage,
    Info,
    Job,
    Jobs,
    Live,
    MoodAnswer,
    NeighboursAnswer,
    Polarity,
    Ready,
    Rollback,
    SearchAnswer,
    SearchBatchAnswer,
)

A_co = TypeVar("A_co", covariant=True)
M = TypeVar("M", bound=Answer)
Params = tuple[tuple[str, str], ...]


class Filters(TypedDict, total=False):
    """Which pictures of the gallery may answer."""

    emotion: str | Sequence[str]
    """Of this predicted emotion; of several, any."""
    polarity: Polarity
    label: str | Sequence[str]
    """With this label of the gallery's own; of several, any."""
    metadata: Mapping[str, str]
    """With all of these in their metadata."""
    max_distance: float
    dedupe: bool
    """Without those that are a nearer one again, resized or recompressed."""


class Wish(Filters, total=False):
    """The same, and where the query is moved."""

    mood: str
    """Towards the middle of the gallery's pictures of this emotion."""
    mood_weight: float
    """How far: 0 not at all, 1 forgets the picture."""


@dataclass(frozen=True)
class Call(Generic[A_co]):
    """One request."""

    method: str
    path: str
    """Below the base URL."""
    read: Callable[[bytes], A_co]
    """The answer out of its body; raises ValueError for one that is none."""
    params: Params = ()
    content: bytes | None = None
    files: tuple[bytes, ...] = ()
    texts: tuple[tuple[str, str], ...] = ()
    is_admin: bool = False
    is_repeatable: bool = True
    """Whether doing it twice is doing it once, so that it may be sent again where the answer got lost."""
    is_probe: bool = False
    """Asks how things are now, so it is never sent again."""

    @property
    def form(self) -> list[tuple[str, tuple[str, bytes]]]:
        """The files as parts of a form; the service looks at no name."""
        return [("file", (f"{number}", data)) for number, data in enumerate(self.files)]


def classify(picture: bytes) -> Call[Classification]:
    """POST /classify."""
    return Call("POST", "/classify", _reads(Classification), content=picture)


def classify_batch(pictures: Sequence[bytes]) -> Call[ClassifyBatchAnswer]:
    """POST /classify/batch."""
    return Call("POST", "/classify/batch", _reads(ClassifyBatchAnswer), files=tuple(pictures))


def search(picture: bytes, k: int | None, wish: Wish) -> Call[SearchAnswer]:
    """POST /search."""
    return Call("POST", "/search", _reads(SearchAnswer), _wanted(k, wish, Wish), picture)


def search_batch(pictures: Sequence[bytes], k: int | None, wish: Wish) -> Call[SearchBatchAnswer]:
    """POST /search/batch."""
    params = _wanted(k, wish, Wish)
    return Call("POST", "/search/batch", _reads(SearchBatchAnswer), params, files=tuple(pictures))


def search_mood(mood: str, k: int | None, filters: Filters) -> Call[MoodAnswer]:
    """GET /search."""
    params = (("mood", mood), *_wanted(k, filters, Filters))
    return Call("GET", "/search", _reads(MoodAnswer), params)


def neighbours(item_id: str, k: int | None, wish: Wish) -> Call[NeighboursAnswer]:
    """GET /images/{id}/neighbours."""
    return Call("GET", f"{_image(item_id)}/neighbours", _reads(NeighboursAnswer), _wanted(k, wish, Wish))


def details(item_ids: Sequence[str]) -> Call[DetailsAnswer]:
    """GET /images/details."""
    return Call("GET", "/images/details", _reads(DetailsAnswer), tuple(("id", item_id) for item_id in item_ids))


def gallery_map(limit: int | None, item_ids: Sequence[str]) -> Call[GalleryMap]:
    """GET /map."""
    params = tuple((name, text) for name, value in (("limit", limit), ("id", item_ids)) for text in _texts(value))
    return Call("GET", "/map", _reads(GalleryMap), params)


def embed(picture: bytes) -> Call[Embedding]:
    """POST /embed."""
    return Call("POST", "/embed", _reads(Embedding), content=picture)


def add(
    pictures: Sequence[bytes], label: str | None, metadata: Mapping[str, str] | None, external_id: str | None = None
) -> Call[AddAnswer]:
    """POST /images; the gallery holds the same bytes once, however often they are sent."""
    said = {"label": label, "metadata": json.dumps(dict(metadata)) if metadata else None, "external_id": external_id}
    texts = tuple((name, text) for name, text in said.items() if text is not None)
    return Call("POST", "/images", _reads(AddAnswer), files=tuple(pictures), texts=texts, is_admin=True)


def page(cursor: str, limit: int) -> Call[GalleryPage]:
    """GET /images."""
    return Call("GET", "/images", _reads(GalleryPage), (("cursor", cursor), ("limit", str(limit))))


def find(external_id: str) -> Call[GalleryPage]:
    """GET /images of one external id."""
    return Call("GET", "/images", _reads(GalleryPage), (("external_id", external_id),))


def delete(item_id: str) -> Call[None]:
    """DELETE /images/{id}."""
    return Call("DELETE", _image(item_id), _nothing, is_admin=True)


def picture(item_id: str) -> Call[bytes]:
    """GET /images/{id}."""
    return Call("GET", _image(item_id), bytes)


def thumbnail(item_id: str) -> Call[bytes]:
    """GET /images/{id}/thumbnail."""
    return Call("GET", f"{_image(item_id)}/thumbnail", bytes)


def start_rebuild() -> Call[Job]:
    """POST /admin/index/rebuild."""
    return Call("POST", "/admin/index/rebuild", _reads(Job), is_admin=True, is_repeatable=False)


def start_compact() -> Call[Job]:
    """POST /admin/index/compact; a second one after the first has nothing to do."""
    return Call("POST", "/admin/index/compact", _reads(Job), is_admin=True, is_repeatable=False)


def job(job_id: str) -> Call[Job]:
    """GET /admin/jobs/{id}."""
    return Call("GET", _job(job_id), _reads(Job), is_admin=True)


def jobs() -> Call[Jobs]:
    """GET /admin/jobs."""
    return Call("GET", "/admin/jobs", _reads(Jobs), is_admin=True)


def cancel_job(job_id: str) -> Call[Job]:
    """DELETE /admin/jobs/{id}."""
    return Call("DELETE", _job(job_id), _reads(Job), is_admin=True)


def rollback() -> Call[Rollback]:
    """POST /admin/index/rollback; twice goes back two versions."""
    return Call("POST", "/admin/index/rollback", _reads(Rollback), is_admin=True, is_repeatable=False)


def info() -> Call[Info]:
    """GET /info."""
    return Call("GET", "/info", _reads(Info))


def live() -> Call[Live]:
    """GET /livez."""
    return Call("GET", "/livez", _reads(Live), is_probe=True)


def ready() -> Call[Ready]:
    """GET /readyz."""
    return Call("GET", "/readyz", _reads(Ready), is_probe=True)


def _reads(model: type[M]) -> Callable[[bytes], M]:
    return model.model_validate_json


def _nothing(_content: bytes) -> None:
    return None


def _image(item_id: str) -> str:
    return f"/images/{_segment(item_id)}"


def _job(job_id: str) -> str:
    return f"/admin/jobs/{_segment(job_id)}"


def _segment(text: str) -> str:
    """One part of a path, whatever is in it; the empty one would name another route."""
    if not text.strip("."):
        raise ValueError(f"{text!r} is no id")
    return quote(text, safe="")


def _wanted(k: int | None, wish: Wish | Filters, known: type[Wish | Filters]) -> Params:
    """The query of a search; a misspelt filter must not be one that is left out."""
    if unknown := wish.keys() - known.__annotations__.keys():
        raise TypeError(f"no such filter: {', '.join(sorted(unknown))}; there are {', '.join(known.__annotations__)}")
    given = {"k": k, **wish}
    return tuple((name, text) for name, value in given.items() for text in _texts(value))


def _texts(value: object) -> list[str]:
    """A parameter as it stands in the query: several times, where it has several values."""
    match value:
        case None:
            return []
        case bool():
            return [str(value).lower()]
        case str() | int() | float():
            return [str(value)]
        case Mapping():
            return [_pair(key, text) for key, text in value.items()]
        case Sequence():
            return [str(one) for one in value]
    raise TypeError(f"a filter is a text, a number, a truth, a list or a mapping, not {value!r}")


def _pair(key: str, value: str) -> str:
    if ":" in key:
        raise ValueError(f"metadata: the key {key!r} has a colon, which a query cannot name")
    return f"{key}:{value}"
