"""GET /images/details: all that is known of several gallery pictures, for who shows or compares them."""

import asyncio
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from service.deps import ServicesDep
from service.details import details
from service.live_schemas import DetailsAnswer
from service.problems import problem_docs

MOST_AT_ONCE = 200

router = APIRouter(tags=["gallery"])


@router.get("/images/details", responses=problem_docs(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE))
async def several(
    parts: ServicesDep,
    id: Annotated[  # noqa: A002
        list[str], Query(min_length=1, max_length=MOST_AT_ONCE, description="Of a picture; given several times.")
    ],
) -> DetailsAnswer:
    """All probabilities and the size in pixels of gallery pictures; ids that the gallery does not hold are left out."""
    gallery = parts.live.require()
    pictures = await asyncio.to_thread(details, parts, gallery, id)
    manifest = gallery.manifest
    return DetailsAnswer(pictures=pictures, index_version=manifest.version, model_id=manifest.model_id)
