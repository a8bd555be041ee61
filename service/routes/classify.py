"""POST /classify: which emotions a picture evokes."""

from http import HTTPStatus

from fastapi import APIRouter, Request

from service.answers import query_mood
from service.deps import ServicesDep
from service.problems import problem_docs
from service.schemas import Classification
from service.uploads import PICTURE_BODY

UPLOAD_REFUSALS = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)

router = APIRouter(tags=["pictures"])


@router.post("/classify", openapi_extra=PICTURE_BODY, responses=problem_docs(*UPLOAD_REFUSALS))
async def classify(request: Request, parts: ServicesDep) -> Classification:
    """Classify a picture: emotion, polarity and all probabilities."""
    prediction = await parts.predict(request)
    opinion = query_mood(parts.taxonomy, prediction.probabilities)
    return Classification(**opinion.model_dump(), model_id=parts.predictor.model_id)
