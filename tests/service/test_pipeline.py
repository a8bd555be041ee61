"""A picture's way: no work for who has gone, no wait for who is turned away, searches together as if alone."""

import asyncio
import threading
from concurrent.futures import Future

import numpy as np
import pytest

from emotion.bundle import load_bundle
from emotion.errors import QueryError
from emotion.predictor import Predictor
from fakes import FakeRuntime, encoded
from index.catalog import PictureState
from service.answers import Naming, find_similar, find_similar_many
from service.app import create_app
from service.metrics import Metrics
from service.pipeline import SearchPool

PNG = encoded(3)
TIMEOUT_S = 60


class SlowDecoder(Predictor):
    """Decodes once its gate is open; remembers how often it was asked."""

    def __init__(self, bundle, runtime) -> None:
        super().__init__(bundle, runtime)
        self.gate = threading.Event()
        self.n_asked = 0

    def prepare(self, source, name="picture"):
        self.n_asked += 1
        assert self.gate.wait(TIMEOUT_S)
        return super().prepare(source, name)


class GatedRuntime(FakeRuntime):
    """Runs once its gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.n_begun = 0

    def run(self, pixels):
        self.n_begun += 1
        assert self.gate.wait(TIMEOUT_S)
        return super().run(pixels)


class Client:
    """One request, as a server hands it on; goes when told to."""

    def __init__(self, app, path: str = "/search", body: bytes | None = PNG) -> None:
        self.gone, self.was_read, self.messages = asyncio.Event(), False, []
        self._body = body
        headers = [(b"content-type", b"image/png")]
        scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers, "state": {}}
        self.task = asyncio.create_task(app(scope, self._receive, self._send))

    @property
    def status(self) -> int | None:
        return self.messages[0]["status"] if self.messages else None

    async def _receive(self):
        if not self.was_read and self._body is not None:
            self.was_read = True
            return {"type": "http.request", "body": self._body, "more_body": False}
        self.was_read = True
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message) -> None:
        self.messages.append(message)


def run(app, story) -> None:
    async def main():
        async with app.router.lifespan_context(app):
            await asyncio.wait_for(story(app.state.services), TIMEOUT_S)

    asyncio.run(main())


async def until(condition) -> None:
    while not condition():
        await asyncio.sleep(0.01)


def requests_with(metrics: Metrics, status: int, route: str = "/search") -> bool:
    text = metrics.exposition().decode()
    return f'feelalike_http_requests_total{{method="POST",route="{route}",status="{status}"}}' in text


def test_a_client_that_goes_while_its_picture_waits_for_a_decoder(store, settings):
    limits = settings(decode_threads=1)
    decoder = SlowDecoder(load_bundle(limits.bundle), FakeRuntime())
    app = create_app(limits, predictor=decoder)

    async def story(services):
        stays = Client(app)
        await until(lambda: decoder.n_asked == 1)
        goes = Client(app)
        await until(lambda: services.decoders.admitted == 2)
        goes.gone.set()
        await goes.task
        decoder.gate.set()
        await stays.task
        await until(lambda: services.decoders.admitted == 0)
        assert (stays.status, goes.status) == (200, None)
        assert decoder.n_asked == 1
        assert requests_with(services.metrics, 499)

    run(app, story)


@pytest.mark.parametrize("path", ["/search", "/classify"])
def test_a_client_that_goes_while_its_picture_waits_for_the_model(store, settings, path):
    limits, runtime = settings(max_batch=1), GatedRuntime()
    app = create_app(limits, predictor=Predictor(load_bundle(limits.bundle), runtime))

    async def story(services):
        n_ran, n_begun = len(runtime.batch_sizes), runtime.n_begun
        runtime.gate.clear()
        stays = Client(app, path)
        await until(lambda: runtime.n_begun > n_begun)
        goes = Client(app, path)
        await until(lambda: services.lane.depth == 1)
        goes.gone.set()
        await goes.task
        runtime.gate.set()
        await stays.task
        assert (stays.status, goes.status) == (200, None)
        await asyncio.to_thread(services.lane.close)
        assert len(runtime.batch_sizes) == n_ran + 1

    run(app, story)


@pytest.mark.parametrize("path", ["/search", "/classify"])
def test_who_finds_no_room_is_told_before_the_body_is_asked_for(store, settings, predictor, path):
    app = create_app(settings(max_uploads=1), predictor=predictor)

    async def story(services):
        slow = Client(app, body=None)
        await until(lambda: services.decoders.admitted == 1)
        refused = Client(app, path)
        await refused.task
        assert (refused.status, refused.was_read) == (503, False)
        headers = dict(refused.messages[0]["headers"])
        assert headers[b"retry-after"] == b"1"
        assert b"x-request-id" in headers
        assert requests_with(services.metrics, 503, path)
        assert 'feelalike_refusals_total{code="overloaded"} 1.0' in services.metrics.exposition().decode()
        slow.gone.set()
        await slow.task
        assert services.decoders.admitted == 0

    run(app, story)


def test_a_picture_with_a_place_is_never_refused_after_it_was_decoded(store, settings):
    limits, runtime = settings(queue_size=3, max_batch=1), GatedRuntime()
    app = create_app(limits, predictor=Predictor(load_bundle(limits.bundle), runtime))

    async def story(services):
        runtime.gate.clear()
        clients = [Client(app) for _ in range(8)]
        await until(lambda: sum(one.task.done() for one in clients) >= 4 and services.lane.depth)
        refused = [one for one in clients if one.task.done()]
        assert {(one.status, one.was_read) for one in refused} == {(503, False)}
        runtime.gate.set()
        await asyncio.gather(*(one.task for one in clients))
        assert {one.status for one in clients if one not in refused} == {200}

    run(app, story)


def test_a_picture_on_its_way_counts_once(store, settings):
    """Or a queue of 64 would refuse one of 64 clients now and then."""
    limits, runtime = settings(), GatedRuntime()
    app = create_app(limits, predictor=Predictor(load_bundle(limits.bundle), runtime))

    async def story(services):
        counted, submit = [], services.lane.submit

        def counting(pixels, answer):
            submit(pixels, answer)
            counted.append(services.decoders.admitted + services.lane.depth)

        services.lane.submit = counting
        runtime.gate.clear()
        busy = Client(app)
        await until(lambda: counted and not services.lane.depth)
        waiting = Client(app)
        await until(lambda: len(counted) == 2)
        assert counted[-1] == 1
        runtime.gate.set()
        await asyncio.gather(busy.task, waiting.task)

    run(app, story)


@pytest.mark.parametrize("n_deleted", [0, 1, 9, 12])
def test_searches_together_give_what_each_gives_alone(store, predictor, n_deleted):
    snapshot, naming = store.load(), Naming(predictor.taxonomy, predictor.thresholds)
    for item_id in snapshot.ids[:n_deleted]:
        store.catalog.set_state(item_id, PictureState.DELETED)
    queries = np.concatenate([snapshot.rows.vectors, predictor.predict([PNG]).embeddings])
    together = find_similar_many(snapshot, store.catalog, naming, queries, 3)
    assert together == [find_similar(snapshot, store.catalog, naming, query, 3) for query in queries]
    assert {len(results) for results in together} == {min(3, len(snapshot.ids) - n_deleted)}
    assert not {one.id for results in together for one in results} & set(snapshot.ids[:n_deleted])


class Finder:
    """Finds nothing, slowly; remembers what it was asked together."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[float], int]] = []
        self.entered, self.gate = threading.Event(), threading.Event()

    def __call__(self, snapshot, queries, k):
        self.asked.append((snapshot, queries[:, 0].tolist(), k))
        self.entered.set()
        assert self.gate.wait(TIMEOUT_S)
        if (queries < 0).any():
            raise QueryError("a negative query")
        return [[value] for value in queries[:, 0].tolist()]


def test_what_waits_for_the_same_snapshot_and_k_is_searched_together():
    find = Finder()
    pool = SearchPool(find, 1, Metrics())
    wanted = [("a", 10), ("a", 10), ("b", 10), ("a", 5), ("a", 10)]
    first = pool.submit(np.zeros(1), "a", 10)
    assert find.entered.wait(TIMEOUT_S)
    rest = [pool.submit(np.full(1, i + 1.0), snapshot, k) for i, (snapshot, k) in enumerate(wanted)]
    rest[1].cancel()
    find.gate.set()
    assert first.result(TIMEOUT_S) == [0]
    assert [rest[i].result(TIMEOUT_S) for i in (0, 2, 3, 4)] == [[1], [3], [4], [5]]
    pool.close()
    assert find.asked == [("a", [0], 10), ("a", [1, 5], 10), ("b", [3], 10), ("a", [4], 5)]


def test_a_search_that_fails_is_told_to_its_own_and_to_no_other():
    find = Finder()
    find.gate.set()
    pool = SearchPool(find, 1, Metrics())
    failing: Future = pool.submit(np.full(1, -1.0), "a", 10)
    with pytest.raises(QueryError):
        failing.result(TIMEOUT_S)
    assert pool.submit(np.full(1, 2.0), "a", 10).result(TIMEOUT_S) == [2]
    pool.close()
