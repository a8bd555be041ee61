import asyncio
import contextlib
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from benchmarks.load import BROKEN, Answer, closed_loop, open_loop, request, summed

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nConnection: close\r\n\r\n"


@asynccontextmanager
async def serving(reply: bytes) -> AsyncIterator[int]:
    """A server that reads a request and answers always the same."""

    handlers: list[asyncio.Task[None] | None] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.append(asyncio.current_task())
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
                writer.write(reply)
                if b"close" in reply or not reply:
                    break
        except (asyncio.IncompleteReadError, ConnectionResetError):
            pass
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.gather(*filter(None, handlers))


def test_figures_of_answers() -> None:
    answers = [Answer(200, 0.010), Answer(200, 0.030), Answer(503, 0.002), Answer(BROKEN, 0.001), Answer(500, 0.001)]
    found = summed(answers, seconds=2.0, own_cores=0.1)
    assert (found.per_s, found.refused_per_s, found.broken) == (1.0, 0.5, 2)
    assert (found.p50_ms, found.p99_ms, found.refused_p50_ms) == (10.0, 30.0, 2.0)
    assert math.isnan(summed([], 1.0, 0.0).p50_ms)


@pytest.mark.parametrize(
    ("reply", "status"), [(OK, 200), (BUSY, 503), (b"", BROKEN), (b"HTTP/1.1 200 OK\r\n\r\n", BROKEN)]
)
def test_a_closed_loop_notes_every_answer(reply: bytes, status: int) -> None:
    async def run() -> list[Answer]:
        async with serving(reply) as port:
            return await closed_loop(port, [request("/search", b"picture")], clients=3, warm_up_s=0.0, seconds=0.2)

    answers = asyncio.run(run())
    assert len(answers) > 3
    assert {answer.status for answer in answers} == {status}


def test_an_open_loop_keeps_its_rate() -> None:
    async def run() -> list[Answer]:
        async with serving(OK) as port:
            return await open_loop(port, [request("/search", b"picture")], rate=50, warm_up_s=0.0, seconds=0.5)

    answers = asyncio.run(run())
    assert 5 <= len(answers) <= 26
    assert {answer.status for answer in answers} == {200}


@pytest.mark.parametrize("form", [False, True])
def test_the_service_understands_the_request(form: bool) -> None:
    head, _, body = request("/search?k=10", b"\xff\xd8picture", form=form).partition(b"\r\n\r\n")
    assert head.startswith(b"POST /search?k=10 HTTP/1.1\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert (body == b"\xff\xd8picture") is not form
    if form:
        from service.multipart import FormFile

        kind = next(line for line in head.decode().splitlines() if line.startswith("Content-Type")).partition(": ")[2]
        parsed = FormFile(kind)
        parsed.feed(body)
        assert parsed.content() == b"\xff\xd8picture"
