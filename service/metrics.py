"""What Prometheus may ask: a registry for every app, nothing global."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from service.jobs import JobState

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_PICTURES: Final = (1, 2, 4, 8, 16, 32, 64)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """Counters, histograms and gauges of one app."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        registry = self._registry
        ProcessCollector(registry=registry)
        self._requests = Counter(
            "feelalike_http_requests", "Requests answered.", ["method", "route", "status"], registry=registry
        )
        self._request_seconds = Histogram(
            "feelalike_http_request_seconds", "Time to answer.", ["route"], buckets=_SECONDS, registry=registry
        )
        self._refusals = Counter("feelalike_refusals", "Requests refused, by code.", ["code"], registry=registry)
        self._stage_seconds = Histogram(
            "feelalike_stage_seconds", "Time by stage of the work.", ["stage"], buckets=_SECONDS, registry=registry
        )
        self._batch_size = Histogram(
            "feelalike_batch_size", "Pictures per run of the model.", buckets=_PICTURES, registry=registry
        )
        self._index = Gauge("feelalike_index_info", "The live index.", ["version", "model_id"], registry=registry)
        self._index_pictures = Gauge("feelalike_index_pictures", "Pictures in the live index.", registry=registry)
        self._queue_depth = Gauge("feelalike_queue_depth", "Pictures waiting for the model.", registry=registry)
        self._uploads = Gauge("feelalike_uploads_in_flight", "Pictures being received or decoded.", registry=registry)
        self._clients = Gauge(
            "feelalike_rate_limit_clients", "Clients that the rate limit has in mind.", registry=registry
        )
        self._snapshots_refused = Counter(
            "feelalike_snapshots_refused", "Published snapshots that were not taken.", registry=registry
        )

        self._rebuild_running = Gauge(
            "feelalike_rebuild_running", "1 while a rebuild or compaction runs.", registry=registry
        )
        self._rebuilds = Counter(
            "feelalike_rebuilds", "Rebuilds and compactions that ended, by state.", ["state"], registry=registry
        )
        for state in JobState:
            if state.is_final:
                self._rebuilds.labels(state.value)  # from 0 on: an alert compares with what was before

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; `route` is the template, never the path, so that clients cannot make new series."""
        self._requests.labels(method if method in _METHODS else "other", route, status).inc()
        self._request_seconds.labels(route).observe(seconds)

    def refusal(self, code: str) -> None:
        """Count a refusal."""
        self._refusals.labels(code).inc()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage: receive, decode, wait (for the model's answer), model, search, thumbnail."""
        start = perf_counter()
        try:
            yield
        finally:
            self.took(name, perf_counter() - start)

    def took(self, name: str, seconds: float) -> None:
        """Note the time of a stage that began in another place."""
        self._stage_seconds.labels(name).observe(seconds)

    def batch(self, size: int) -> None:
        """Count a run of the model."""
        self._batch_size.observe(size)

    def index(self, version: str, model_id: str, count: int) -> None:
        """Tell which index is live."""
        self._index.clear()
        self._index.labels(version, model_id).set(1)
        self._index_pictures.set(count)

    def snapshot_refused(self) -> None:
        """Count a published snapshot that was not taken."""
        self._snapshots_refused.inc()

    def rebuild_started(self) -> None:
        """A rebuild runs."""
        self._rebuild_running.set(1)

    def rebuild_ended(self, state: JobState) -> None:
        """Count a rebuild."""
        self._rebuild_running.set(0)
        self._rebuilds.labels(state.value).inc()

    def watch(self, queue_depth: Callable[[], float], uploads: Callable[[], float]) -> None:
        """Read these when asked for."""
        self._queue_depth.set_function(queue_depth)
        self._uploads.set_function(uploads)

    def watch_clients(self, count: Callable[[], float]) -> None:
        """Read this when asked for."""
        self._clients.set_function(count)

    def exposition(self) -> bytes:
        """All of it in Prometheus's text format."""
        return generate_latest(self._registry)
