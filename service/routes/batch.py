"""POST /embed, /classify/batch, /search/batch: vectors to take home, and several pictures in one request."""

import asyncio

from fastapi import APIRouter, Request

from service.answers import classification
from service.batches import each, predict_one, receive
from service.deps import ServicesDep
from service.finding import PictureWish, find
from service.live_schemas import (
    ClassifiedItem,
    ClassifyBatchAnswer,
    EmbedAnswer,
    ItemProblem,
    SearchBatchAnswer,
    SearchedItem,
)
from service.problems import problem_docs
from service.routes.classify import UPLOAD_REFUSALS
from service.uploads import PICTURE_BODY, form_body

router = APIRouter(tags=["pictures"])


@router.post("/embed", openapi_extra=PICTURE_BODY, responses=problem_docs(*UPLOAD_REFUSALS))
async def embed(request: Request, parts: ServicesDep) -> EmbedAnswer:
    """The embedding of a picture, for use outside: the same numbers that searches compare."""
    prediction = await parts.predict(request)
    return EmbedAnswer(
        embedding=prediction.embedding.tolist(),
        precision=parts.predictor.precision.value,
        model_id=parts.predictor.model_id,
    )


@router.post("/classify/batch", openapi_extra=form_body(), responses=problem_docs(*UPLOAD_REFUSALS))
async def classify_batch(request: Request, parts: ServicesDep) -> ClassifyBatchAnswer:
    """Classify several pictures; one that is refused has its error and fails no other."""
    naming, model_id = parts.naming, parts.predictor.model_id

    async def one(data: bytes) -> ClassifiedItem:
        prediction = await predict_one(parts, data)
        return ClassifiedItem(classification=classification(naming, prediction, model_id), error=None)

    with parts.batches.admission():
        form = await receive(request, parts)
        answers = await each(parts, form.files, one)
    items = [
        ClassifiedItem(classification=None, error=answer) if isinstance(answer, ItemProblem) else answer
        for answer in answers
    ]
    return ClassifyBatchAnswer(items=items, model_id=model_id)


@router.post("/search/batch", openapi_extra=form_body(), responses=problem_docs(*UPLOAD_REFUSALS))
async def search_batch(request: Request, parts: ServicesDep, wish: PictureWish) -> SearchBatchAnswer:
    """Search for several pictures in one state of the gallery; one that is refused has its error and fails no other."""
    gallery, naming, model_id = parts.live.require(), parts.naming, parts.predictor.model_id

    async def one(data: bytes) -> SearchedItem:
        prediction = await predict_one(parts, data)
        with parts.metrics.stage("search"):
            results = await asyncio.to_thread(find, parts, gallery, prediction.embedding, wish)
        return SearchedItem(query=classification(naming, prediction, model_id), results=results, error=None)

    with parts.batches.admission():
        form = await receive(request, parts)
        answers = await each(parts, form.files, one)
    items = [
        SearchedItem(query=None, results=None, error=answer) if isinstance(answer, ItemProblem) else answer
        for answer in answers
    ]
    return SearchBatchAnswer(items=items, index_version=gallery.manifest.version, model_id=model_id)
