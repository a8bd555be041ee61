"""Admin: rebuild or compact the index, watch and cancel the job, go back to the version before."""

import asyncio
from http import HTTPStatus

from fastapi import APIRouter, Depends, Response

from emotion.errors import StoreMissingError
from index.manifest import SnapshotManifest
from service.deps import Services, ServicesDep, require_admin
from service.errors import NothingToRollBackError
from service.jobs import JobKind
from service.problems import problem_docs
from service.schemas import JobAnswer, JobsAnswer, RollbackAnswer
from service.snapshots import check_fits

_UNAUTHORIZED = HTTPStatus.UNAUTHORIZED

router = APIRouter(tags=["admin"], dependencies=[Depends(require_admin)])


@router.post(
    "/admin/index/rebuild",
    status_code=HTTPStatus.ACCEPTED,
    responses=problem_docs(_UNAUTHORIZED, HTTPStatus.CONFLICT),
)
async def rebuild(parts: ServicesDep, response: Response) -> JobAnswer:
    """Start a rebuild: the gallery is scanned again, new and changed pictures are embedded, the index is replaced."""
    return _started(parts, response, JobKind.REBUILD)


@router.post(
    "/admin/index/compact",
    status_code=HTTPStatus.ACCEPTED,
    responses=problem_docs(_UNAUTHORIZED, HTTPStatus.CONFLICT),
)
async def compact(parts: ServicesDep, response: Response) -> JobAnswer:
    """Start folding the added and the deleted pictures into a new version: no model runs and no picture is read."""
    return _started(parts, response, JobKind.COMPACT)


@router.get("/admin/jobs", responses=problem_docs(_UNAUTHORIZED))
async def jobs(parts: ServicesDep) -> JobsAnswer:
    """The rebuilds that this process remembers; one that runs is the first."""
    return JobsAnswer(jobs=[JobAnswer.model_validate(job) for job in parts.jobs.newest_first()])


@router.get("/admin/jobs/{id}", responses=problem_docs(_UNAUTHORIZED, HTTPStatus.NOT_FOUND))
async def job(id: str, parts: ServicesDep) -> JobAnswer:  # noqa: A002
    """How far a rebuild or compaction is; after `succeeded` every search sees the new index."""
    return JobAnswer.model_validate(parts.jobs.get(id))


@router.delete("/admin/jobs/{id}", responses=problem_docs(_UNAUTHORIZED, HTTPStatus.NOT_FOUND))
async def cancel(id: str, parts: ServicesDep) -> JobAnswer:  # noqa: A002
    """Cancel a job and wait for its end; what a rebuild has embedded is kept for the next. A job that is over stays."""
    return JobAnswer.model_validate(await parts.jobs.cancel(id))


@router.post(
    "/admin/index/rollback",
    responses=problem_docs(_UNAUTHORIZED, HTTPStatus.CONFLICT, HTTPStatus.SERVICE_UNAVAILABLE),
)
async def rollback(parts: ServicesDep) -> RollbackAnswer:
    """Publish the version before the current one again."""
    before = parts.live.current
    manifest = await asyncio.to_thread(_roll_back, parts)
    await parts.live.take_published()
    previous = before.manifest.version if before else None
    return RollbackAnswer(index_version=manifest.version, previous_version=previous)


def _started(parts: Services, response: Response, kind: JobKind) -> JobAnswer:
    job = parts.jobs.start(kind)
    response.headers["Location"] = f"{parts.settings.root_path}/admin/jobs/{job.id}"
    return JobAnswer.model_validate(job)


def _roll_back(parts: Services) -> SnapshotManifest:
    """Roll back, unless the version before is one that this service would refuse."""
    store = parts.store
    with store.writer_lock():
        try:
            check_fits(store.manifest(store.version_before()), parts.predictor)
            return store.rollback()
        except StoreMissingError as error:
            raise NothingToRollBackError(str(error)) from error
