"""More work than the service takes: 503 with Retry-After, and it recovers."""

import asyncio
import threading

import httpx2
import pytest

from emotion.bundle import load_bundle
from emotion.predictor import Predictor
from fakes import FakeRuntime, encoded
from service.app import create_app
from service.routes import health

PNG = encoded(3)
TIMEOUT_S = 60


class GatedRuntime(FakeRuntime):
    """Stops at a gate when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.n_came = 0

    def run(self, pixels):
        self.n_came += 1
        assert self.gate.wait(TIMEOUT_S)
        return super().run(pixels)


@pytest.fixture
def runtime() -> GatedRuntime:
    return GatedRuntime()


def run(app, story) -> None:
    async def main():
        transport = httpx2.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(transport=transport, base_url="http://x") as http,
        ):
            await asyncio.wait_for(story(http), TIMEOUT_S)

    asyncio.run(main())


async def until(condition) -> None:
    while not condition():
        await asyncio.sleep(0.01)


def test_a_full_queue_answers_503_and_recovers(store, settings, runtime, problem):
    limits = settings(queue_size=2, max_batch=1)
    app = create_app(limits, predictor=Predictor(load_bundle(limits.bundle), runtime))

    async def story(http):
        runtime.gate.clear()
        n_came, n_ran = runtime.n_came, len(runtime.batch_sizes)
        parts = app.state.services
        waiting = [asyncio.create_task(http.post("/search", content=PNG))]
        await until(lambda: runtime.n_came == n_came + 1)
        for depth in (1, 2):
            waiting.append(asyncio.create_task(http.post("/search", content=PNG)))
            await until(lambda depth=depth: parts.lane.depth == depth)
        refused = await http.post("/search", content=PNG)
        problem(refused, 503, "overloaded")
        assert refused.headers["Retry-After"] == "1"
        assert (await http.get("/livez")).status_code == 200
        runtime.gate.set()
        assert [(await one).status_code for one in waiting] == [200, 200, 200]
        assert len(runtime.batch_sizes) == n_ran + 3
        assert (await http.post("/search", content=PNG)).status_code == 200

    run(app, story)


def test_uploads_that_dawdle_hold_no_more_than_their_places(store, settings, predictor, problem):
    app = create_app(settings(max_uploads=1), predictor=predictor)

    async def story(http):
        go_on = asyncio.Event()

        async def slowly():
            yield PNG[:10]
            await go_on.wait()
            yield PNG[10:]

        slow = asyncio.create_task(http.post("/classify", content=slowly()))
        await until(lambda: app.state.services.decoders.admitted == 1)
        refused = await http.post("/classify", content=PNG)
        problem(refused, 503, "overloaded")
        assert "Retry-After" in refused.headers
        go_on.set()
        assert (await slow).status_code == 200
        assert (await http.post("/classify", content=PNG)).status_code == 200

    run(app, story)


def test_a_decoder_that_is_stuck_is_told_by_livez_and_holds_one_thread_only(
    store, settings, predictor, problem, monkeypatch
):
    gate = threading.Event()

    class Stuck:
        def __getattr__(self, name):
            return getattr(predictor, name)

        def prepare(self, data):
            if data == b"stuck":
                assert gate.wait(TIMEOUT_S)
            return predictor.prepare(data)

    app = create_app(settings(decode_threads=2), predictor=Stuck())

    async def story(http):
        decoders = app.state.services.decoders
        stuck = asyncio.create_task(http.post("/classify", content=b"stuck"))
        await until(lambda: decoders.longest_s > 0.05)
        assert (await http.get("/livez")).status_code == 200
        monkeypatch.setattr(health, "STUCK_S", 0.05)
        assert "over 0 s; restart" in problem(await http.get("/livez"), 503, "not_ready")["detail"]
        assert (await http.post("/classify", content=PNG)).status_code == 200
        gate.set()
        assert (await stuck).status_code == 415
        await until(lambda: decoders.longest_s == 0)
        assert (await http.get("/livez")).status_code == 200

    run(app, story)


def test_an_upload_that_never_ends_is_given_up(store, settings, predictor, problem):
    app = create_app(settings(upload_timeout_s=0.1), predictor=predictor)

    async def story(http):
        async def never():
            yield PNG[:10]
            await asyncio.sleep(TIMEOUT_S)
            yield b""

        problem(await http.post("/classify", content=never()), 408, "upload_timeout")
        assert app.state.services.decoders.admitted == 0

    run(app, story)


@pytest.mark.parametrize("content_type", ["image/png", "multipart/form-data; boundary=b"])
def test_reading_stops_soon_after_the_limit(store, settings, predictor, problem, content_type):
    app = create_app(settings(max_upload_bytes=10_000), predictor=predictor)

    async def story(http):
        n_sent = 0

        async def endless():
            nonlocal n_sent
            yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
            while True:
                n_sent += 1000
                yield b"x" * 1000

        response = await http.post("/classify", content=endless(), headers={"Content-Type": content_type})
        problem(response, 413, "picture_too_large")
        assert n_sent < 100_000

    run(app, story)


def test_many_at_once_get_their_own_answers_in_batches(store, settings, runtime):
    limits = settings(max_batch=4)
    app = create_app(limits, predictor=Predictor(load_bundle(limits.bundle), runtime))

    async def story(http):
        alone = [(await http.post("/search?k=3", content=encoded(seed))).json() for seed in range(12)]
        together = await asyncio.gather(*(http.post("/search?k=3", content=encoded(seed)) for seed in range(12)))
        assert [one.json()["results"] for one in together] == [one["results"] for one in alone]
        assert max(runtime.batch_sizes) <= 4

    run(app, story)
