"""POST /search: the gallery's pictures that feel most like one."""

import asyncio

from fastapi import APIRouter, Request

from service.answers import classification, find_similar
from service.deps import ServicesDep, WantedK
from service.problems import problem_docs
from service.routes.classify import UPLOAD_REFUSALS
from service.schemas import SearchAnswer
from service.uploads import PICTURE_BODY

router = APIRouter(tags=["pictures"])


@router.post("/search", openapi_extra=PICTURE_BODY, responses=problem_docs(*UPLOAD_REFUSALS))
async def search(request: Request, parts: ServicesDep, k: WantedK) -> SearchAnswer:
    """Find the k gallery pictures nearest to a picture by their embeddings."""
    snapshot = parts.live.require()
    prediction = await parts.predict(request)
    naming, model_id = parts.naming, parts.predictor.model_id
    with parts.metrics.stage("search"):
        results = await asyncio.to_thread(find_similar, snapshot, parts.store.catalog, naming, prediction.embedding, k)
    query = classification(naming, prediction, model_id)
    return SearchAnswer(query=query, results=results, index_version=snapshot.manifest.version, model_id=model_id)
