"""POST /search: the gallery's pictures that feel most like one."""

from fastapi import APIRouter, Request

from service.answers import classification
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
    prediction, results = await parts.search(request, snapshot, k)
    model_id = parts.predictor.model_id
    query = classification(parts.naming, prediction, model_id)
    return SearchAnswer(query=query, results=results, index_version=snapshot.manifest.version, model_id=model_id)
