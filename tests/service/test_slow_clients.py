"""Clients that dawdle, idle, flood or go away, each on a real socket: none keeps another from its answer."""

import asyncio
import contextlib
import json
import signal
import socket
import struct
import sys
import threading
import time

import httpx2
import pytest
import uvicorn

from fakes import encoded
from service.__main__ import bind
from service.app import create_app
from service.gate import Gate
from service.protocol import ConnectionLimits, http_protocol
from service_process import ROOT, SERVE_WITH_FAKES, address_of, launch

PNG = encoded(3)
TIMEOUT_S = 60
SOON_S = 0.3
GOOD = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def run(app, limits, story, gate=None) -> None:
    """Serve while the story is told; it connects as often as it likes."""

    async def main():
        with bind("127.0.0.1", 0) as listener:
            protocol = http_protocol(limits, gate)
            config = uvicorn.Config(app, http=protocol, log_config=None, ws="none", timeout_keep_alive=60)
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            while not server.started:
                await asyncio.sleep(0.01)
            try:
                await asyncio.wait_for(
                    story(lambda: asyncio.open_connection(*listener.getsockname()), server), TIMEOUT_S
                )
            finally:
                server.should_exit = True
                await serving

    asyncio.run(main())


async def whole_answer(reader) -> tuple[int, bytes]:
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    return int(head.split()[1]), body


async def good_request(connect) -> int:
    reader, writer = await connect()
    writer.write(GOOD)
    status, _ = await whole_answer(reader)
    writer.close()
    return status


@pytest.fixture
def app(store, settings, predictor):
    return create_app(settings(), predictor=predictor)


SLOW_HEADS = (
    b"",
    b"GET /liv",
    b"GET /livez HTTP/1.1\r\nHost: x\r\nX-A: ",
    GOOD.replace(b"Connection: close\r\n", b"") + b"GET /li",
)


def test_a_head_that_does_not_come_is_not_waited_for(app):
    async def dawdle(connect, begin):
        reader, writer = await connect()
        writer.write(begin)
        start = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while not reader.at_eof():
                if begin:
                    writer.write(b"x")  # every byte is a sign of life, and none of a request
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(4096), 0.05)
        writer.close()
        return time.monotonic() - start

    async def story(connect, server):
        seconds = await asyncio.gather(*(dawdle(connect, begin) for begin in SLOW_HEADS))
        assert all(SOON_S * 0.9 < taken < TIMEOUT_S / 2 for taken in seconds), seconds
        assert await good_request(connect) == 200

    run(app, ConnectionLimits(head_s=SOON_S), story)


@pytest.mark.parametrize(("path", "status"), [("/nothing", 404), ("/search", 503)], ids=["by the app", "by the gate"])
def test_a_refused_body_is_read_past_for_a_while_only(store, settings, predictor, path, status):
    config = settings(max_uploads=1)
    app = create_app(config, predictor=predictor)

    async def story(connect, server):
        reader, writer = await connect()
        with app.state.services.decoders.admission():
            writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
        assert f" {status} ".encode() in head
        start = time.monotonic()
        try:
            while not writer.is_closing() and server.server_state.connections:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            pass
        assert not server.server_state.connections
        assert time.monotonic() - start > SOON_S * 0.5
        writer.close()

    run(app, ConnectionLimits(body_s=SOON_S), story, Gate(app, config))


def test_a_connection_whose_body_ends_after_its_answer_is_used_again_or_ended(app):
    async def story(connect, server):
        reader, writer = await connect()
        writer.write(b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.05)
        writer.write(b"cd")
        await asyncio.sleep(0.05)
        writer.write(GOOD)
        assert (await reader.read()).endswith(b'{"status":"alive"}')
        writer.close()
        reader, writer = await connect()
        writer.write(b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.05)
        writer.write(b"cd")
        await reader.read()  # ends, since nothing more comes
        writer.close()

    run(app, ConnectionLimits(head_s=SOON_S), story)


def large_answers(app, n_bytes: int) -> None:
    from starlette.responses import Response

    async def large(request):
        return Response(bytes(n_bytes))

    app.add_route("/large", large)


def test_a_client_that_does_not_read_its_answer_is_given_up(app):
    large_answers(app, 20 * 2**20)

    async def story(connect, server):
        _reader, writer = await connect()
        writer.transport.pause_reading()
        writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        while not server.server_state.connections:
            await asyncio.sleep(0.01)
        while server.server_state.connections:
            await asyncio.sleep(0.01)
        assert await good_request(connect) == 200
        assert not server.server_state.tasks
        writer.transport.abort()

    run(app, ConnectionLimits(stall_s=SOON_S), story)


def test_a_slow_reader_that_does_read_gets_all_of_it(app):
    n_bytes = 5 * 2**20
    large_answers(app, n_bytes)

    async def story(connect, server):
        reader, writer = await connect()
        writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        n_read = 0
        while chunk := await reader.read(2**20):
            n_read += len(chunk)
            await asyncio.sleep(0.01)
        assert n_read > n_bytes
        writer.close()

    run(app, ConnectionLimits(stall_s=5), story)


def test_clients_that_go_away_leave_nothing_behind(app):
    large_answers(app, 10 * 2**20)
    head = f"POST /search HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: {len(PNG)}\r\n\r\n".encode()
    in_an_answer = b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"

    async def story(connect, server):
        for sent in (head[:40], head + PNG[:20], head + PNG, in_an_answer) * 3:
            reader, writer = await connect()
            writer.write(sent)
            await writer.drain()
            if sent is in_an_answer:
                await reader.readexactly(1000)
            reset = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            writer.transport.abort()
        parts = app.state.services
        while server.server_state.connections or server.server_state.tasks:
            await asyncio.sleep(0.01)
        while parts.decoders.admitted or parts.lane.depth:
            await asyncio.sleep(0.01)
        assert await good_request(connect) == 200

    run(app, ConnectionLimits(), story)


def test_for_one_connection_too_many_the_longest_idle_one_goes(app):
    async def story(connect, server):
        idle = [await connect() for _ in range(3)]
        await asyncio.sleep(0.05)
        reader, writer = await connect()
        writer.write(b"POST /classify HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n")
        writer.write(f"Content-Length: {len(PNG)}\r\nConnection: close\r\n\r\n".encode() + PNG[:20])
        while app.state.services.decoders.admitted == 0:
            await asyncio.sleep(0.01)
        for _ in range(5):
            assert await good_request(connect) == 200
        assert await idle[0][0].read() == b""
        more = [await connect() for _ in range(8)]  # a flood of them does not end the one that is being answered
        await asyncio.sleep(0.05)
        assert len(server.server_state.connections) <= 4
        writer.write(PNG[20:])
        assert (await whole_answer(reader))[0] == 200
        for _, one in (*idle, *more, (reader, writer)):
            one.close()

    run(app, ConnectionLimits(most=4), story)


NO_REQUESTS = {
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "no HTTP": b"HELLO\r\n\r\n",
    "an unknown method": b"FEEL / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a target that is none": b"GET nowhere HTTP/1.1\r\nHost: x\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
    "length and chunks": b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a line break in a header": b"GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
    "a head without end": b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000,
}


def test_what_is_no_request_is_refused_like_everything_else(app, caplog):
    async def story(connect, server):
        for name, sent in NO_REQUESTS.items():
            reader, writer = await connect()
            writer.write(sent)
            head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
            writer.close()
            lines = [line.partition(": ") for line in head.splitlines()[1:]]
            headers = {header.lower(): value for header, _, value in lines}
            problem = json.loads(body)
            assert head.startswith("HTTP/1.1 400 "), name
            assert headers["content-type"] == "application/problem+json"
            assert headers["x-content-type-options"] == "nosniff"
            assert (problem["status"], problem["code"]) == (400, "bad_request")
            assert problem["request_id"] == headers["x-request-id"]

    with caplog.at_level("INFO", "feelalike.http"):
        run(app, ConnectionLimits(), story)
    assert caplog.text.count("no request 400 code=bad_request") == len(NO_REQUESTS)


def test_a_websocket_is_answered_as_the_plain_request_it_also_is(app):
    upgrade = b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

    async def story(connect, server):
        reader, writer = await connect()
        writer.write(upgrade)
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 404 " in head
        assert b"x-request-id" in head.lower()
        writer.close()

    run(app, ConnectionLimits(), story)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_thousand_connections_that_do_nothing_or_too_little(predictor, store):
    """A real process with its default limits but for the time: floods of each kind, and a good request meanwhile."""
    script = SERVE_WITH_FAKES.format(root=str(ROOT), tests=str(ROOT / "tests"))
    arguments = ["--bundle", str(predictor.bundle.path), "--store", str(store.root), "--port", "0"]
    process = launch([sys.executable, "-c", script, *arguments], FEELALIKE_HEAD_TIMEOUT_S="5")
    log: list[str] = []
    upload = b"POST /search HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 5000\r\n\r\n\x89PNG"
    try:
        url = address_of(process)
        port = int(url.rpartition(":")[2])
        reading = threading.Thread(target=lambda: log.extend(process.stderr))  # a full pipe would stop it
        reading.start()
        for begin in (b"", b"GET /livez HTTP/1.1\r\nX-A: ", upload):
            flood = []
            try:
                for _ in range(1200):
                    one = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
                    one.sendall(begin)
                    flood.append(one)
                with httpx2.Client(base_url=url, timeout=TIMEOUT_S) as http:
                    assert http.get("/livez").status_code == 200
                    # Every place for a picture is taken by the slow ones, as long as they are let.
                    assert http.post("/search?k=1", content=PNG).status_code == (503 if begin is upload else 200)
            finally:
                for one in flood:
                    one.close()
        with httpx2.Client(base_url=url, timeout=TIMEOUT_S) as http:
            end = time.monotonic() + 10
            while (status := http.post("/search?k=1", content=PNG).status_code) != 200 and time.monotonic() < end:
                time.sleep(0.05)
            assert status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(TIMEOUT_S) == 0
        reading.join()
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    assert "Traceback" not in "".join(log)
