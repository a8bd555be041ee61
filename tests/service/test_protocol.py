"""Over a real socket: what httptools would let pass is bounded, and a refused upload costs no connection."""

import asyncio

import pytest
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from fakes import encoded
from service.__main__ import bind
from service.app import create_app
from service.gate import Gate
from service.protocol import MAX_HEAD_BYTES, BoundedProtocol, ConnectionLimits, http_protocol

PNG = encoded(3)
TIMEOUT_S = 60
PROTOCOLS = [BoundedProtocol, H11Protocol]


def run(app, protocol, story) -> None:
    """Serve while the story is told, with streams to the server."""

    async def main():
        with bind("127.0.0.1", 0) as listener:
            server = uvicorn.Server(uvicorn.Config(app, http=protocol, log_config=None, ws="none"))
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            while not server.started:
                await asyncio.sleep(0.01)
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            try:
                await asyncio.wait_for(story(reader, writer), TIMEOUT_S)
            finally:
                writer.close()
                server.should_exit = True
                await serving

    asyncio.run(main())


async def answer(reader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
    return int(head.split()[1]), await reader.readexactly(length)


def post(body: bytes, *headers: str) -> bytes:
    lines = ["POST /classify HTTP/1.1", "Host: x", "Content-Type: image/png", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


WAYS = {"by the gate": True, "by the route": False}
"""Who refuses what finds no room."""


def bounded(app, config, *, gated: bool = True):
    return http_protocol(ConnectionLimits(), Gate(app, config) if gated else None)


@pytest.mark.parametrize("protocol", [*WAYS, H11Protocol])
@pytest.mark.parametrize("content", [bytes(200_000), b"x", b""], ids=len)
def test_a_refused_upload_leaves_the_connection_usable(store, settings, predictor, protocol, content):
    config = settings(max_uploads=1)
    app = create_app(config, predictor=predictor)

    async def story(reader, writer):
        decoders = app.state.services.decoders
        with decoders.admission():
            for _ in range(3):
                writer.write(post(content, f"Content-Length: {len(content)}"))
                status, told = await answer(reader)
                assert status == 503
                assert b'"code":"overloaded"' in told
        writer.write(post(PNG, f"Content-Length: {len(PNG)}"))
        assert (await answer(reader))[0] == 200

    run(app, bounded(app, config, gated=WAYS[protocol]) if protocol in WAYS else protocol, story)


def test_the_gate_answers_before_the_body_comes_and_reads_past_it(store, settings, predictor):
    config = settings(max_uploads=1)
    app = create_app(config, predictor=predictor)
    picture = post(PNG, f"Content-Length: {len(PNG)}")

    async def story(reader, writer):
        with app.state.services.decoders.admission():
            writer.write(picture[:-10])
            assert (await answer(reader))[0] == 503
        writer.write(picture[-10:])
        await asyncio.sleep(0.05)
        writer.write(picture[:20])
        await asyncio.sleep(0.05)
        writer.write(picture[20:] + picture)
        assert [(await answer(reader))[0] for _ in range(2)] == [200, 200]

    run(app, bounded(app, config), story)


def test_a_request_behind_another_waits_for_its_turn(store, settings, predictor):
    """Its answer must not come first: HTTP knows answers by their order."""
    config = settings(max_uploads=1)
    app = create_app(config, predictor=predictor)
    picture = post(PNG, f"Content-Length: {len(PNG)}")

    async def story(reader, writer):
        writer.write(picture[:-1])
        while not app.state.services.decoders.admitted:
            await asyncio.sleep(0.01)
        writer.write(picture[-1:] + picture)
        assert (await answer(reader))[0] == 200
        assert (await answer(reader))[0] in (200, 503)  # by then there may be room, or not yet
        with app.state.services.decoders.admission():
            writer.write(picture * 3)
            assert [(await answer(reader))[0] for _ in range(3)] == [503] * 3

    run(app, bounded(app, config), story)


@pytest.mark.parametrize("header", ["Connection: close", "Expect: 100-continue"])
def test_what_a_request_asks_of_its_connection_holds_for_a_refusal(store, settings, predictor, header):
    config = settings(max_uploads=1)
    app = create_app(config, predictor=predictor)

    async def story(reader, writer):
        with app.state.services.decoders.admission():
            writer.write(post(b"", f"Content-Length: {len(PNG)}", header))
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 503 ")  # and no 100 before it: nobody wants the body
            if header == "Connection: close":
                assert b"connection: close" in head
                writer.write(PNG)
                assert (await reader.read()).endswith(b"}")

    run(app, bounded(app, config), story)


ENDLESS = {
    "a header": b"POST /classify HTTP/1.1\r\nHost: x\r\nX-Long: ",
    "headers": b"POST /classify HTTP/1.1\r\nHost: x\r\n",
    "a target": b"GET /",
    "a trailer": post(b"1\r\nx\r\n0\r\nX-Long: ", "Transfer-Encoding: chunked"),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("begin", ENDLESS.values(), ids=ENDLESS)
def test_a_head_without_end_ends_the_connection(store, settings, predictor, protocol, begin):
    more = b"X: y\r\n" * 1000 if begin.endswith(b"\r\n") else b"x" * 6000

    async def story(reader, writer):
        writer.write(begin)
        n_sent = 0
        try:
            while not reader.at_eof() and n_sent < 100 * MAX_HEAD_BYTES:
                writer.write(more)
                await writer.drain()
                n_sent += len(more)
                await asyncio.sleep(0)
            await reader.read()
        except ConnectionError:
            pass
        assert n_sent < 100 * MAX_HEAD_BYTES

    run(create_app(settings(), predictor=predictor), protocol, story)


def test_a_long_body_in_small_pieces_is_no_long_head(store, settings, predictor):
    chunk = b"5\r\nxxxxx\r\n" * 100

    async def story(reader, writer):
        writer.write(post(b"", "Transfer-Encoding: chunked"))
        for _ in range(3 * MAX_HEAD_BYTES // len(chunk)):
            writer.write(chunk)
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        status, content = await answer(reader)
        assert status == 415
        assert b"unsupported_format" in content

    run(create_app(settings(), predictor=predictor), BoundedProtocol, story)
