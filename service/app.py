"""The app: its parts are made when it starts and ended when it stops; importing this module does nothing."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import numpy as np
from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from emotion.arrays import Embeddings
from emotion.predictor import Predictor
from index.catalog import Catalog
from index.snapshot import Snapshot
from index.store import SnapshotStore
from index.view import Searchable
from service.access import ReadAccess, Tokens
from service.addresses import check_root_path
from service.answers import Naming, find_similar_many
from service.deps import Services
from service.fingerprints import Fingerprints
from service.inference import ModelLane
from service.jobs import JobKind
from service.metrics import Metrics
from service.middleware import RequestContext
from service.moods import MoodCentres
from service.openapi import documented
from service.pictures import GalleryFiles
from service.pipeline import Find, Pipeline, SearchPool
from service.problems import install_problem_handlers, methods_by_path
from service.rate_limit import RateLimit, RateLimiter
from service.rebuild_job import RebuildJobs, build_command, compact_command
from service.routes import admin, batch, classify, details, gallery, health, images, map, pages, search  # noqa: A004
from service.schemas import SearchResult
from service.settings import ServiceSettings
from service.snapshots import LiveSnapshot
from service.workers import WorkPool

_DESCRIPTION = """
Classify pictures by the emotions they evoke, and find the pictures of a gallery that feel most alike.

Every refusal is an `application/problem+json` with a stable `code` and the `request_id` of the log.
"""
_THUMBNAILS_WAITING = 256

_log = logging.getLogger("feelalike.service")


def create_app(
    settings: ServiceSettings,
    *,
    predictor: Predictor | None = None,
    snapshot: Snapshot | None = None,
    rebuild_command: Sequence[str] | None = None,
) -> FastAPI:
    """Make the app of one model and one store.

    Without a usable index it starts all the same, says so in /readyz, and takes the first one published that fits.

    Args:
        settings: everything an operator may set.
        predictor: opened already; by default the app opens the bundle of the settings when it starts.
        snapshot: loaded already; by default the app loads the one that the store publishes.
        rebuild_command: what /admin/index/rebuild runs; `python -m index build` by default.
    """
    metrics = Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        opened = predictor if predictor is not None else await asyncio.to_thread(open_predictor, settings)
        device = opened.runtime.device
        commands = {
            JobKind.REBUILD: rebuild_command or build_command(settings, device),
            JobKind.COMPACT: compact_command(settings, device),
        }
        async with _running(settings, opened, snapshot, metrics, commands) as services:
            app.state.services = services
            yield

    app = FastAPI(
        title="feelalike",
        version=health.software_version(),
        description=_DESCRIPTION,
        lifespan=lifespan,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        # Nothing is sent to anybody, whatever the environment says; and asking it at every request takes time.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    _surround(app, settings, metrics)
    # /images/details before /images/{id}: of what matches a path, the first is asked for its methods.
    modules = (classify, search, batch, details, gallery, images, map, admin, health, pages)
    routers = [module.router for module in modules]
    install_problem_handlers(app, methods_by_path(routers))
    for router in routers:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=pages.STATIC, check_dir=False), name="static")
    app.openapi = documented(app, settings)  # type: ignore[method-assign]
    if settings.root_path:
        check_root_path(settings.root_path, [*app.openapi()["paths"], "/docs", "/openapi.json", "/static"])
    return app


def _surround(app: FastAPI, settings: ServiceSettings, metrics: Metrics) -> None:
    """Put around the routes what every request goes through; the last one added is the outermost."""
    tokens, is_closed = Tokens(settings), settings.read_token is not None
    if is_closed:
        app.add_middleware(ReadAccess, tokens=tokens)
    if settings.rate_limit_per_s is not None:
        limiter = RateLimiter(settings.rate_limit_per_s, settings.rate_limit_burst)
        metrics.watch_clients(lambda: limiter.n_clients)
        app.add_middleware(RateLimit, limiter=limiter, by=settings.rate_limit_by, tokens=tokens)
    app.add_middleware(RequestContext, metrics=metrics, root_path=settings.root_path, is_closed=is_closed)
    app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=settings.trusted_proxies)


def open_predictor(settings: ServiceSettings) -> Predictor:
    """Load the model; raises BundleError or RuntimeUnavailableError."""
    return Predictor.open(
        settings.bundle,
        settings.device,
        settings.precision,
        limits=settings.picture_limits,
        n_threads=settings.model_threads,
    )


@asynccontextmanager
async def _running(
    settings: ServiceSettings,
    predictor: Predictor,
    snapshot: Snapshot | None,
    metrics: Metrics,
    commands: Mapping[JobKind, Sequence[str]],
) -> AsyncIterator[Services]:
    """Start every part; at the end stop them in the opposite order: what takes in work before what does it."""
    store = SnapshotStore(settings.store)
    async with AsyncExitStack() as stack:
        max_batch = settings.batch_limit(predictor.runtime.device)
        lane = ModelLane(predictor, settings.queue_size, max_batch, metrics)
        lane.start()
        stack.push_async_callback(asyncio.to_thread, lane.close)
        await _warm_up(lane, predictor, max_batch)
        decoders = WorkPool("decoded", settings.decode_threads, settings.max_uploads)
        thumbnailers = WorkPool("made into thumbnails", settings.decode_threads, _THUMBNAILS_WAITING)
        batches = WorkPool("received in batches", 1, settings.max_batches)
        stack.enter_context(store.catalog.kept_open())
        searches = SearchPool(_finder(store.catalog, predictor, settings.root_path), settings.decode_threads, metrics)
        for pool in (searches, decoders, thumbnailers, batches):
            stack.push_async_callback(asyncio.to_thread, pool.close)
        pipeline = Pipeline(predictor.prepare, decoders, lane, searches, settings.queue_size, metrics)
        live = LiveSnapshot(store, predictor, settings.device, metrics, snapshot)
        await live.refresh()
        await stack.enter_async_context(_background(live.follow(settings.poll_interval_s)))
        jobs = RebuildJobs(commands, live.take_published, metrics)
        stack.push_async_callback(jobs.close)
        metrics.watch(queue_depth=lambda: lane.depth, uploads=lambda: decoders.admitted)
        files = GalleryFiles(store)
        yield Services(
            settings,
            predictor,
            store,
            metrics,
            lane,
            decoders,
            thumbnailers,
            batches,
            live,
            files,
            jobs,
            MoodCentres(Naming(predictor.taxonomy, predictor.thresholds)),
            Fingerprints(files),
            pipeline=pipeline,
        )
        _log.info("stopping")


async def _warm_up(lane: ModelLane, predictor: Predictor, max_batch: int) -> None:
    """Run the model: the first run allocates and is slow, and a model that cannot run must not become ready.

    A full batch is prepared too: a CPU runs several pictures by another graph than one.
    """
    size = predictor.bundle.manifest.preprocess.size_px
    blank = np.zeros((3, size, size), np.float32)
    await lane.infer(blank)
    await asyncio.to_thread(predictor.infer, np.stack([blank] * max_batch))


def _finder(catalog: Catalog, predictor: Predictor, root_path: str) -> Find:
    naming = Naming(predictor.taxonomy, predictor.thresholds, root_path)

    def find(snapshot: Searchable, queries: Embeddings, k: int) -> list[list[SearchResult]]:
        return find_similar_many(snapshot, catalog, naming, queries, k)

    return find


@asynccontextmanager
async def _background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
