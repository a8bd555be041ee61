"""POST /classify: which emotions a picture evokes."""

from http import HTTPStatus

from fastapi import APIRouter, Request

from service.answers import classification
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
    """Classify a picture: emotion, polarity, all probabilities, and whether it is of a kind that the model knows."""
    prediction = await parts.predict(request)
    return classification(parts.naming, prediction, parts.predictor.model_id)
