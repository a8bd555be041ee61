"""GET /map: where the gallery's pictures lie."""

import asyncio
import hashlib
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from service.deps import Services, ServicesDep
from service.gallery_map import MapAnswer, draw_map
from service.problems import Responses, problem_docs
from service.routes.images import NOT_MODIFIED, IfNoneMatch, has_already

MAX_IDS: Final = 200
_DOCS: Responses = {200: {"model": MapAnswer}}

router = APIRouter(tags=["gallery"])


@router.get(
    "/map",
    response_class=Response,
    responses=_DOCS
    | NOT_MODIFIED
    | problem_docs(HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE),
)
async def gallery_map(
    parts: ServicesDep,
    limit: Annotated[int, Query(ge=1, le=100_000, description="Most points; of more pictures a sample.")] = 20_000,
    id: Annotated[  # noqa: A002
        Sequence[str], Query(max_length=MAX_IDS, description="Only these pictures, where the map has them.")
    ] = (),
    if_none_match: IfNoneMatch = None,
) -> Response:
    """The gallery laid flat: pictures that feel alike lie beside each other. It changes with the index alone.

    Pictures added since the index was made are not on it, deleted ones are taken out at once.
    """
    tag, content = await asyncio.to_thread(_drawn, parts, id, limit)
    headers = {"ETag": f'"{tag}"', "Cache-Control": "private, no-cache"}
    if has_already(if_none_match, f'"{tag}"'):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(content, media_type="application/json", headers=headers)


def _drawn(parts: Services, ids: Sequence[str], limit: int) -> tuple[str, bytes]:
    """Its tag and the map; the index version alone would not tell of a deleted picture or a new label."""
    answer = draw_map(parts.live.require(), parts.store.catalog, parts.naming, ids, limit)
    content = answer.model_dump_json().encode()
    return f"{answer.index_version}-{hashlib.sha256(content).hexdigest()[:16]}", content
