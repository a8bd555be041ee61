"""POST and GET /search: the gallery's pictures that feel most like one, or most like a mood."""

import asyncio
from http import HTTPStatus

from fastapi import APIRouter, Request

from service.answers import classification
from service.deps import ServicesDep
from service.finding import MoodWish, PictureWish, find, find_mood
from service.live_schemas import MoodAnswer
from service.problems import problem_docs
from service.routes.classify import UPLOAD_REFUSALS
from service.schemas import SearchAnswer
from service.uploads import PICTURE_BODY

router = APIRouter(tags=["pictures"])


@router.post("/search", openapi_extra=PICTURE_BODY, responses=problem_docs(*UPLOAD_REFUSALS))
async def search(request: Request, parts: ServicesDep, wish: PictureWish) -> SearchAnswer:
    """Find the k gallery pictures nearest to a picture by their embeddings, or to where a mood moves it."""
    gallery = parts.live.require()
    if wish.is_plain:
        prediction, results = await parts.search(request, gallery, wish.k)
    else:
        prediction = await parts.predict(request)
        with parts.metrics.stage("search"):
            results = await asyncio.to_thread(find, parts, gallery, prediction.embedding, wish)
    model_id = parts.predictor.model_id
    query = classification(parts.naming, prediction, model_id)
    return SearchAnswer(query=query, results=results, index_version=gallery.manifest.version, model_id=model_id)


@router.get("/search", responses=problem_docs(HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE))
async def search_mood(parts: ServicesDep, wish: MoodWish) -> MoodAnswer:
    """Find the k gallery pictures nearest to the middle of those of a mood: what is most typical of it here."""
    gallery = parts.live.require()
    with parts.metrics.stage("search"):
        results = await asyncio.to_thread(find_mood, parts, gallery, wish)
    manifest = gallery.manifest
    return MoodAnswer(mood=wish.mood or "", results=results, index_version=manifest.version, model_id=manifest.model_id)
