"""POST, GET /images and DELETE /images/{id}: the gallery changes while it is searched."""

import asyncio
import json
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from index.additions import Added, NewPicture, add_picture, remove_picture
from index.catalog import PictureState
from index.delta import AddedRow
from index.embed import made_with
from index.lookups import active_after, find_external
from index.view import Searchable
from service.answers import gallery_picture
from service.batches import each, item_problem, predict_one, receive
from service.deps import Services, ServicesDep, require_admin
from service.errors import InvalidParameterError, UnknownImageError
from service.live_schemas import AddAnswer, AddedItem, GalleryPage, ItemProblem
from service.problems import Responses, problem_docs
from service.routes.classify import UPLOAD_REFUSALS
from service.uploads import form_body

MAX_NAME_LENGTH = 500
_ADD_BODY = form_body(
    label="The gallery's own label of these pictures; several are joined by `|`.",
    metadata='A JSON object of texts, such as {"photographer": "unknown"}.',
    external_id="Your own name for the picture; only with one file, and no two pictures share one.",
)
_TEXTS = frozenset({"label", "metadata", "external_id"})
_ADD_DOCS: Responses = {
    200: {"description": "The gallery had them all.", "model": AddAnswer},
    **problem_docs(HTTPStatus.UNAUTHORIZED, HTTPStatus.CONFLICT, *UPLOAD_REFUSALS),
}

router = APIRouter(tags=["gallery"])
AdminOnly = Depends(require_admin)


@router.post(
    "/images",
    status_code=HTTPStatus.CREATED,
    dependencies=[AdminOnly],
    openapi_extra=_ADD_BODY,
    responses=_ADD_DOCS,
)
async def add(request: Request, parts: ServicesDep, response: Response) -> AddAnswer:
    """Add pictures: on disk and found by every search when the answer comes. The same picture twice is one entry.

    201 when at least one is new. One picture alone that is refused is a refusal; of several, each has its error.
    """
    parts.live.require()
    with parts.batches.admission():
        form = await receive(request, parts, _TEXTS)
        said = _said(form.texts, len(form.files))
        items = await _add_all(parts, [NewPicture(data, *said) for data in form.files])
    await parts.live.see_added()
    answer = await asyncio.to_thread(_answer, parts, items)
    if not any(item.created for item in answer.items):
        response.status_code = HTTPStatus.OK
    return answer


@router.delete(
    "/images/{id}",
    status_code=HTTPStatus.NO_CONTENT,
    dependencies=[AdminOnly],
    responses=problem_docs(HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE),
)
async def remove(id: str, parts: ServicesDep) -> None:  # noqa: A002
    """Take a picture out of the gallery for good: no search finds it after the answer, whatever index is published.

    An added picture's file is erased. An original in the gallery's own folder stays there and is left out from now on.
    """
    if not await asyncio.to_thread(remove_picture, parts.store, id):
        raise UnknownImageError("no picture of the gallery has this id")


@router.get("/images", responses=problem_docs(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE))
async def page(
    parts: ServicesDep,
    cursor: Annotated[str, Query(max_length=64, description="`next_cursor` of the page before.")] = "",
    limit: Annotated[int, Query(ge=1, le=1000, description="Pictures looked at for this page.")] = 100,
    external_id: Annotated[str | None, Query(description="Only the picture of this external id.")] = None,
) -> GalleryPage:
    """All pictures of the gallery, page by page; one added or deleted meanwhile shifts no other."""
    return await asyncio.to_thread(_page, parts, cursor, limit, external_id)


async def _add_all(parts: Services, news: list[NewPicture]) -> list[Added | ItemProblem]:
    """Of one picture alone an error is the request's own."""
    if len(news) == 1:
        return [await _add(parts, news[0])]
    return await each(parts, news, lambda new: _add(parts, new))


async def _add(parts: Services, new: NewPicture) -> Added:
    entry = await asyncio.to_thread(parts.store.catalog.get, new.id)
    is_found = parts.live.require().row_of(new.id) is not None
    if is_found and entry is not None and entry.state is PictureState.ACTIVE:
        return Added(entry, created=False)
    prediction = await predict_one(parts, new.data)
    row = AddedRow(new.id, prediction.embedding, prediction.probabilities)
    return await asyncio.to_thread(add_picture, parts.store, new, row, made_with(parts.predictor))


def _said(texts: dict[str, str], n_files: int) -> tuple[str | None, dict[str, str], str | None]:
    label = texts.get("label", "").strip() or None
    external_id = texts.get("external_id", "").strip() or None
    for name, value in (("label", label), ("external_id", external_id)):
        if value is not None and len(value) > MAX_NAME_LENGTH:
            raise InvalidParameterError(f"{name}: at most {MAX_NAME_LENGTH} characters")
    if external_id is not None and n_files > 1:
        raise InvalidParameterError(f"external_id: names one picture, but the form has {n_files} files")
    return label, _metadata(texts.get("metadata", "{}")), external_id


def _metadata(text: str) -> dict[str, str]:
    try:
        content = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise InvalidParameterError(f"metadata: not a JSON object: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise InvalidParameterError('metadata: must be a JSON object of texts, such as {"photographer": "unknown"}')
    try:
        "".join([*content, *content.values()]).encode()
    except UnicodeEncodeError as error:  # half of a surrogate pair, which no answer could be written with
        raise InvalidParameterError("metadata: holds a character that is none") from error
    return content


def _answer(parts: Services, results: list[Added | ItemProblem]) -> AddAnswer:
    gallery = parts.live.require()
    items = [_item(parts, gallery, result) for result in results]
    return AddAnswer(items=items, index_version=gallery.manifest.version, model_id=gallery.manifest.model_id)


def _item(parts: Services, gallery: Searchable, result: Added | ItemProblem) -> AddedItem:
    if isinstance(result, ItemProblem):
        return AddedItem(created=False, picture=None, error=result)
    row = gallery.row_of(result.entry.id)
    if row is None:
        gone = UnknownImageError("the picture was deleted again before the answer")
        return AddedItem(created=result.created, picture=None, error=item_problem(gone))
    picture = gallery_picture(gallery, parts.naming, row, result.entry)
    return AddedItem(created=result.created, picture=picture, error=None)


def _page(parts: Services, cursor: str, limit: int, external_id: str | None) -> GalleryPage:
    gallery, catalog = parts.live.require(), parts.store.catalog
    if external_id is None:
        entries = active_after(catalog, cursor, limit)
    else:
        entries = [entry for entry in (find_external(catalog, external_id),) if entry is not None]
    # The catalog may know pictures that the live index does not hold, after a rollback.
    rows = [(entry, gallery.row_of(entry.id)) for entry in entries]
    pictures = [gallery_picture(gallery, parts.naming, row, entry) for entry, row in rows if row is not None]
    return GalleryPage(
        pictures=pictures,
        next_cursor=entries[-1].id if external_id is None and len(entries) == limit else None,
        index_version=gallery.manifest.version,
        model_id=gallery.manifest.model_id,
    )
