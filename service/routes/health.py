"""Whether the service lives and is ready, what it serves, and its metrics."""

from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from emotion.errors import DeviceLostError
from index.view import Searchable
from service.deps import Services, ServicesDep
from service.errors import NotReadyError
from service.problems import problem_docs
from service.schemas import IndexFacts, Info, Limits, Live, ModelFacts, Ready, TaxonomyFacts

NAME = "feelalike"
STUCK_S: Final = 300.0
"""No picture within the limits takes a tenth of it to decode; a thread that does cannot be ended, only the process."""

router = APIRouter(tags=["operation"])


@router.get("/livez", responses=problem_docs(HTTPStatus.SERVICE_UNAVAILABLE))
async def livez(parts: ServicesDep) -> Live:
    """Whether the process works; if not, only a restart helps."""
    if failure := parts.device_failure:
        raise DeviceLostError(failure)
    if not parts.lane.is_alive:
        raise NotReadyError("the model's thread has died; restart the service")
    if parts.decoders.longest_s > STUCK_S:
        raise NotReadyError(f"a picture has been decoded for over {STUCK_S:.0f} s; restart the service")
    return Live(status="alive")


@router.get("/readyz", responses=problem_docs(HTTPStatus.SERVICE_UNAVAILABLE))
async def readyz(parts: ServicesDep) -> Ready:
    """Whether searches are answered: the model is warm, and an index that it made is loaded."""
    if failure := parts.device_failure:
        raise DeviceLostError(failure)
    current, refusal = parts.live.current, parts.live.refusal
    reasons = [] if parts.lane.is_alive else ["the model is not running"]
    if parts.live.trouble:
        reasons.append(parts.live.trouble)
    if current is None or reasons:
        raise NotReadyError("; ".join(reasons or [parts.live.why_missing()]))
    warnings = [f"index version {refusal.version} was refused: {refusal.reason}"] if refusal else []
    if parts.live.loss:
        warnings.append(parts.live.loss)
    if parts.live.damaged:
        warnings.append(f"{len(parts.live.damaged)} added pictures are damaged in the catalog; rebuild the index")
    manifest = current.manifest
    return Ready(status="ready", model_id=manifest.model_id, index_version=manifest.version, warnings=warnings)


@router.get("/info")
async def info(parts: ServicesDep) -> Info:
    """Facts of the model and the index, with measured quality."""
    current, settings = parts.live.current, parts.settings
    return Info(
        name=NAME,
        version=software_version(),
        model=_model_facts(parts),
        index=_index_facts(current) if current else None,
        limits=Limits.model_validate(settings),
        admin_enabled=settings.admin_token is not None,
    )


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(parts: ServicesDep) -> Response:
    """Metrics for Prometheus."""
    return Response(parts.metrics.exposition(), media_type=CONTENT_TYPE_LATEST)


def software_version() -> str:
    """Version of the installed package."""
    try:
        return version(NAME)
    except PackageNotFoundError:  # run from a folder without installing
        return "0+unknown"


def _model_facts(parts: Services) -> ModelFacts:
    manifest, predictor = parts.predictor.bundle.manifest, parts.predictor
    return ModelFacts(
        model_id=predictor.model_id,
        name=manifest.name,
        taxonomy=TaxonomyFacts.model_validate(manifest.taxonomy),
        backbone=str(manifest.network.backbone),
        embedding_dim=predictor.dim,
        precision=predictor.precision.value,
        runtime=predictor.runtime.name,
        device=predictor.runtime.device.value,
        thresholds=manifest.thresholds,
        metrics=manifest.metrics,
        terms=manifest.terms,
        training_data=manifest.provenance.data,
    )


def _index_facts(snapshot: Searchable) -> IndexFacts:
    manifest = snapshot.manifest
    return IndexFacts(
        version=manifest.version,
        count=manifest.count,
        added=len(snapshot.ids) - manifest.count,
        metric=manifest.index.metric,
        kind=manifest.index.kind.value,
        recall=manifest.recall,
        device=snapshot.index.device.value,
        created=manifest.created,
    )
