"""One picture out of a request: a multipart part `file`, or the body itself; its bytes are counted as they come."""

import asyncio
from collections.abc import AsyncGenerator
from concurrent.futures import Future
from contextlib import aclosing
from typing import Any, Final, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from emotion.errors import PictureError, PictureFault
from service.errors import UnsupportedContentTypeError, UploadTimeoutError
from service.forms import Form, FormContent
from service.multipart import FIELD, FormFile

MULTIPART_OVERHEAD_BYTES: Final = 64 * 1024
"""What boundaries, part headers and small fields may add to the picture's own bytes."""

T = TypeVar("T")

_BINARY = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
PICTURE_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "A JPEG, PNG or WebP picture: as the part `file` of a form, or as the body itself.",
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "required": [FIELD], "properties": {FIELD: _BINARY}},
            },
            **{
                kind: {"schema": _BINARY}
                for kind in ("image/jpeg", "image/png", "image/webp", "application/octet-stream")
            },
        },
    }
}
"""`openapi_extra` of every route that takes a picture; with it, /docs offers a file picker."""


async def read_picture(request: Request, max_bytes: int, timeout_s: float) -> bytes:
    """The encoded picture of a request; whether it is one is for the decoder to find out.

    Raises:
        PictureError: it has more than `max_bytes`; found from Content-Length, or as soon as too many have come.
        MalformedBodyError: the form is broken or has no file in `file`.
        UnsupportedContentTypeError: a body of another kind.
        UploadTimeoutError: it took longer than `timeout_s`.
    """
    kind = _media_type(request)
    is_form = kind == "multipart/form-data"
    if not (is_form or kind in ("", "application/octet-stream") or kind.startswith("image/")):
        raise UnsupportedContentTypeError(
            f"a body of type {kind[:80]!r} is not accepted; send the picture as multipart/form-data with a part "
            f"`{FIELD}` (curl -F {FIELD}=@picture.jpg), or as the body itself with its image/... type"
        )
    limit = max_bytes + MULTIPART_OVERHEAD_BYTES if is_form else max_bytes
    _check_announced(request, limit, max_bytes)
    try:
        async with asyncio.timeout(timeout_s), aclosing(_counted(request, limit, max_bytes)) as body:
            data = (
                await _form_file(request.headers["Content-Type"], body)
                if is_form
                else b"".join([chunk async for chunk in body])
            )
    except TimeoutError as error:
        raise UploadTimeoutError(f"the picture did not arrive within {timeout_s:g} s") from error
    if len(data) > max_bytes:
        raise _too_large(max_bytes)
    return data


async def answer_of(request: Request, work: Future[T]) -> T:
    """What the work on a picture gives, once that was received; work for a client that has gone is cancelled.

    Raises:
        ClientDisconnect: it has gone.
    """
    answer = asyncio.wrap_future(work)
    gone = asyncio.create_task(_gone(request))
    gone.add_done_callback(lambda _done: answer.cancel())
    try:
        return await answer
    except asyncio.CancelledError as error:
        if gone.done() and not gone.cancelled():
            raise ClientDisconnect from error
        raise
    finally:
        gone.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _media_type(request: Request) -> str:
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _check_announced(request: Request, limit: int, max_bytes: int) -> None:
    announced = request.headers.get("Content-Length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > limit:
        raise _too_large(max_bytes)


async def _counted(request: Request, limit: int, max_bytes: int) -> AsyncGenerator[bytes, None]:
    n_bytes = 0
    async with aclosing(request.stream()) as stream:
        async for chunk in stream:
            n_bytes += len(chunk)
            if n_bytes > limit:
                raise _too_large(max_bytes)
            yield chunk


async def _form_file(content_type: str, body: AsyncGenerator[bytes, None]) -> bytes:
    form = FormFile(content_type)
    async for chunk in body:
        form.feed(chunk)
    return form.content()


def _too_large(max_bytes: int) -> PictureError:
    message = f"the picture has more than {max_bytes} bytes, the limit; make it smaller"
    return PictureError(PictureFault.TOO_MANY_BYTES, message)


async def read_form(
    request: Request, *, text_fields: frozenset[str], max_files: int, max_bytes: int, timeout_s: float
) -> FormContent:
    """The files and texts of a form. Raises as `read_picture` does; `max_bytes` is for all files together."""
    kind = _media_type(request)
    if kind != "multipart/form-data":
        raise UnsupportedContentTypeError(
            f"a body of type {kind[:80]!r} is not accepted here; send the pictures as multipart/form-data, each in a "
            f"part `{FIELD}`: curl -F {FIELD}=@first.jpg -F {FIELD}=@second.jpg"
        )
    limit = max_bytes + MULTIPART_OVERHEAD_BYTES
    _check_announced(request, limit, max_bytes)
    form = Form(request.headers["Content-Type"], text_fields, max_files)
    try:
        async with asyncio.timeout(timeout_s), aclosing(_counted(request, limit, max_bytes)) as body:
            async for chunk in body:
                form.feed(chunk)
    except TimeoutError as error:
        raise UploadTimeoutError(f"the pictures did not arrive within {timeout_s:g} s") from error
    return form.contents()


def form_body(**texts: str) -> dict[str, Any]:
    """`openapi_extra` of a route that takes several pictures, and texts with these descriptions."""
    fields = {name: {"type": "string", "description": description} for name, description in texts.items()}
    files = {FIELD: {"type": "array", "items": _BINARY, "minItems": 1, "description": "One part for each picture."}}
    schema = {"type": "object", "required": [FIELD], "properties": files | fields}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}
