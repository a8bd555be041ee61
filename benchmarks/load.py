"""The load generator: posts pictures to a server and notes every answer; a process of its own.

It shares the cores with the server, so it does as little as it can: requests are made up beforehand, answers are
counted and not parsed, and HTTP/1.1 is read by hand as far as a status, a length and a body go. What it takes of the
cores itself is part of what it reports.
"""

import asyncio
import json
import resource
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import typer
import uvloop

from benchmarks.measure import percentile
from benchmarks.processes import HOST, run_json
from emotion.errors import FeelalikeError

BROKEN: Final = 0
"""In place of a status: the connection broke."""
_HEAD_LIMIT: Final = 2**16
_BOUNDARY: Final = "feelalike-benchmark-0f1e2d3c4b5a"
_PART: Final = 'Content-Disposition: form-data; name="file"; filename="picture.jpg"\r\nContent-Type: image/jpeg'


class Answer(NamedTuple):
    """One request's fate."""

    status: int
    seconds: float
    """From the first byte sent to the last received; in an open loop from when it was due."""


class Load(NamedTuple):
    """What a server made of a load."""

    per_s: float
    """Good answers a second."""
    refused_per_s: float
    """Answers 503 a second."""
    broken: int
    """Other answers and broken connections."""
    p50_ms: float
    """Of the good answers."""
    p99_ms: float
    refused_p50_ms: float
    """NaN without refusals."""
    own_cores: float
    """What the generator itself took."""


app = typer.Typer(add_completion=False)


@app.command()
def main(
    port: Annotated[int, typer.Option(help="Of the server on this machine.")],
    path: Annotated[str, typer.Option(help="Where to post.")],
    pictures: Annotated[Path, typer.Option(help="A folder of JPEGs, posted in turn.")],
    seconds: Annotated[float, typer.Option(help="How long answers count.")],
    warm_up: Annotated[float, typer.Option(help="Seconds before that.")] = 0.5,
    clients: Annotated[int, typer.Option(help="Closed loop: each posts again when it has its answer.")] = 1,
    rate: Annotated[float | None, typer.Option(help="Open loop instead: requests a second, come what may.")] = None,
    form: Annotated[bool, typer.Option("--form", help="Post forms with a part `file`.")] = False,
) -> None:
    """Load a server and print one JSON object."""
    requests = [request(path, file.read_bytes(), form=form) for file in sorted(pictures.glob("*.jpg"))]
    loop = closed_loop(port, requests, clients, warm_up, seconds)
    if rate is not None:
        loop = open_loop(port, requests, rate, warm_up, seconds)
    before, start = _cpu_s(), time.perf_counter()
    answers = uvloop.run(loop)
    own_cores = (_cpu_s() - before) / (time.perf_counter() - start)
    sys.stdout.write(json.dumps(summed(answers, seconds, own_cores)._asdict()) + "\n")


def load(
    port: int,
    pictures: Path,
    *,
    seconds: float,
    path: str = "/search?k=10",
    clients: int = 1,
    rate: float | None = None,
    form: bool = False,
) -> Load:
    """Run the generator in a process of its own; raises FeelalikeError when it fails."""
    options = ["--port", port, "--path", path, "--pictures", pictures, "--seconds", seconds, "--clients", clients]
    options += [] if rate is None else ["--rate", rate]
    options += ["--form"] if form else []
    found = Load(**run_json([sys.executable, "-m", "benchmarks.load", *map(str, options)]))
    if found.per_s == 0:
        raise FeelalikeError(f"nothing was answered within {seconds:g} s: {found}")
    return found


def request(path: str, picture: bytes, *, form: bool = False) -> bytes:
    """A whole HTTP request: the picture as the body, or as the part `file` of a form."""
    kind = "image/jpeg"
    if form:
        kind, head = f"multipart/form-data; boundary={_BOUNDARY}", f"--{_BOUNDARY}\r\n{_PART}\r\n\r\n"
        picture = head.encode() + picture + f"\r\n--{_BOUNDARY}--\r\n".encode()
    lines = (f"POST {path} HTTP/1.1", f"Host: {HOST}", f"Content-Type: {kind}", f"Content-Length: {len(picture)}")
    return "\r\n".join((*lines, "", "")).encode() + picture


def summed(answers: Sequence[Answer], seconds: float, own_cores: float) -> Load:
    """Figures of the answers that came within `seconds`."""
    good = [1000 * answer.seconds for answer in answers if answer.status == 200]
    refused = [1000 * answer.seconds for answer in answers if answer.status == 503]
    return Load(
        per_s=len(good) / seconds,
        refused_per_s=len(refused) / seconds,
        broken=len(answers) - len(good) - len(refused),
        p50_ms=percentile(good, 0.5),
        p99_ms=percentile(good, 0.99),
        refused_p50_ms=percentile(refused, 0.5),
        own_cores=own_cores,
    )


async def closed_loop(
    port: int, requests: Sequence[bytes], clients: int, warm_up_s: float, seconds: float
) -> list[Answer]:
    """Clients that each wait for an answer before they post again."""
    record = _Record(warm_up_s, seconds)

    async def client(number: int) -> None:
        connection = Connection(port)
        while not record.is_over:
            number += 1
            record.add(await timed(connection, requests[number % len(requests)], time.perf_counter()))
        connection.close()

    await asyncio.gather(*(client(7 * number) for number in range(clients)))
    return record.answers


async def open_loop(
    port: int, requests: Sequence[bytes], rate: float, warm_up_s: float, seconds: float
) -> list[Answer]:
    """Requests at a fixed rate, whether or not the ones before were answered: what overload is."""
    record, idle, running = _Record(warm_up_s, seconds), deque[Connection](), set[asyncio.Task[None]]()

    async def one(number: int, due: float) -> None:
        connection = idle.pop() if idle else Connection(port)
        record.add(await timed(connection, requests[number % len(requests)], due))
        idle.append(connection)

    number, begin = 0, time.perf_counter()
    while not record.is_over:
        while begin + number / rate <= time.perf_counter():
            running.add(task := asyncio.create_task(one(number, begin + number / rate)))
            task.add_done_callback(running.discard)
            number += 1
        await asyncio.sleep(begin + number / rate - time.perf_counter())
    # Answers that come now no longer count, but the next measurement begins with an idle server.
    await asyncio.gather(*running)
    for connection in idle:
        connection.close()
    return record.answers


async def timed(connection: "Connection", content: bytes, due: float) -> Answer:
    """Post once; a broken connection is an answer too."""
    try:
        status = await connection.post(content)
    except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
        connection.close()
        status = BROKEN
    return Answer(status, time.perf_counter() - due)


class Connection:
    """One connection, kept alive; opened when it is needed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, content: bytes) -> int:
        """Send a request and read its answer; returns the status."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(HOST, self._port, limit=_HEAD_LIMIT)
        reader, writer = self._streams
        writer.write(content)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(_content_length(head))
        if b"connection: close" in head:
            self.close()
        return int(head.split(b" ", 2)[1])

    def close(self) -> None:
        """Leave; the next request opens anew."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


class _Record:
    """Answers that come after the warm-up and before the end."""

    def __init__(self, warm_up_s: float, seconds: float) -> None:
        self._start = time.perf_counter() + warm_up_s
        self._end = self._start + seconds
        self.answers: list[Answer] = []

    @property
    def is_over(self) -> bool:
        return time.perf_counter() >= self._end

    def add(self, answer: Answer) -> None:
        if self._start <= time.perf_counter() < self._end:
            self.answers.append(answer)


def _content_length(head: bytes) -> int:
    _, name, rest = head.partition(b"\r\ncontent-length:")
    if not name:
        raise ValueError("an answer without Content-Length")
    return int(rest.split(b"\r\n", 1)[0])


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    app()
