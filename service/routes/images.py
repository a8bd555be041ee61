"""GET /images/{id}: the gallery's pictures, their thumbnails and neighbours."""

import asyncio
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Header, Response

from service.deps import ServicesDep
from service.file_response import OpenFileResponse
from service.finding import PictureWish, find_near
from service.pictures import THUMBNAIL_TYPE
from service.problems import Responses, problem_docs
from service.schemas import NeighboursAnswer

# An id is the hash of the bytes, so what it names never changes; but it may be deleted, so not for ever.
_CACHE = "private, max-age=86400"
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_PICTURE_DOCS: Responses = {200: {"content": dict.fromkeys(("image/jpeg", "image/png", "image/webp"), _BINARY)}}
_THUMBNAIL_DOCS: Responses = {200: {"content": {THUMBNAIL_TYPE: _BINARY}}}
NOT_MODIFIED: Responses = {304: {"description": "The client has it already."}}

IfNoneMatch = Annotated[str | None, Header(description="The ETag of an earlier answer.")]

router = APIRouter(tags=["gallery"])


@router.head("/images/{id}", include_in_schema=False)
@router.get(
    "/images/{id}",
    response_class=Response,
    responses=_PICTURE_DOCS | NOT_MODIFIED | problem_docs(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE),
)
async def original(id: str, parts: ServicesDep, if_none_match: IfNoneMatch = None) -> Response:  # noqa: A002
    """The picture's own file, byte for byte."""
    file = await asyncio.to_thread(parts.files.original, id)
    headers = _cache_headers(id)
    if has_already(if_none_match, headers["ETag"]):
        file.stream.close()
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return OpenFileResponse(file, headers)


@router.head("/images/{id}/thumbnail", include_in_schema=False)
@router.get(
    "/images/{id}/thumbnail",
    response_class=Response,
    responses=_THUMBNAIL_DOCS | NOT_MODIFIED | problem_docs(HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE),
)
async def thumbnail(id: str, parts: ServicesDep, if_none_match: IfNoneMatch = None) -> Response:  # noqa: A002
    """A JPEG of at most 256 pixels a side, upright."""
    headers = _cache_headers(f"{id}-thumbnail")
    if has_already(if_none_match, headers["ETag"]):
        await asyncio.to_thread(parts.files.check_known, id)
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    with parts.thumbnailers.admission(), parts.metrics.stage("thumbnail"):
        content = await parts.thumbnailers.run(parts.files.thumbnail, id)
    return Response(content, media_type=THUMBNAIL_TYPE, headers=headers)


@router.get(
    "/images/{id}/neighbours",
    responses=problem_docs(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE),
)
async def near(id: str, parts: ServicesDep, wish: PictureWish) -> NeighboursAnswer:  # noqa: A002
    """The k gallery pictures nearest to one of them, or to where a mood moves it; itself left out."""
    gallery = parts.live.require()
    with parts.metrics.stage("search"):
        return await asyncio.to_thread(find_near, parts, gallery, id, wish)


def _cache_headers(tag: str) -> dict[str, str]:
    return {"ETag": f'"{tag}"', "Cache-Control": _CACHE}


def has_already(if_none_match: str | None, tag: str) -> bool:
    """Whether a client's If-None-Match names the tag, quotes included."""
    tags = [part.strip().removeprefix("W/") for part in (if_none_match or "").split(",")]
    return tag in tags or "*" in tags
