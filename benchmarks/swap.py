"""Publishing a new snapshot under load: does any request fail, and how long do requests take meanwhile?

The new snapshots are built and verified beforehand; measured is what a service does when CURRENT names one: read it,
check it, take it, let go of the old one.
"""

import asyncio
import json
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple
from urllib.request import urlopen

from benchmarks.command import Options, start
from benchmarks.load import Connection, request, timed
from benchmarks.measure import percentile
from benchmarks.pictures import SMALL, described, write_jpegs
from benchmarks.processes import HOST, free_port, highest_memory, service_command, serving
from benchmarks.results import Bar, Chart, Findings, Row, Sense
from benchmarks.stores import made_up_draft, made_up_store
from emotion.bundle import load_bundle
from emotion.console import say
from emotion.errors import FeelalikeError
from index.store import SnapshotStore, StagedSnapshot

NAME: Final = "swap"
TITLE: Final = "A new index under load"
GALLERY: Final = 200_000
CLIENTS: Final = 8
SETTLING_S: Final = 1.0
"""After the new version shows in /info: the old one is freed, caches are cold."""
_POLL_S: Final = 0.02
_TIMEOUT_S: Final = 60.0

_FAILED = Bar(sense=Sense.AT_MOST, limit=0, unit="")
_P99 = Bar(sense=Sense.AT_MOST, limit=2, unit="x")


class Timed(NamedTuple):
    """One answer; times as time.perf_counter gives them."""

    begin: float
    end: float
    status: int


class Swap(NamedTuple):
    """One swap."""

    begin: float
    """CURRENT was about to name the new version."""
    taken: float
    """/info said that it was live."""

    @property
    def end(self) -> float:
        """Of what counts as during the swap."""
        return self.taken + SETTLING_S


def measure(options: Options) -> Findings:
    """Snapshots are staged first; then clients search without a pause while one after the other is published."""
    count, n_swaps, n_pictures = options.pick(GALLERY, 300), options.pick(5, 1), options.pick(64, 8)
    bundle = load_bundle(options.bundle)
    with tempfile.TemporaryDirectory(prefix="feelalike-swap-") as name, ExitStack() as stack:
        folder = Path(name)
        write_jpegs(folder / "pictures", n_pictures, SMALL, options.data)
        store = made_up_store(folder / "store", bundle, count)
        # Held to the end: whoever takes the lock sweeps staged snapshots away, and the service here writes nothing.
        stack.enter_context(store.writer_lock())
        staged = []
        for i in range(n_swaps):
            staged.append(store.stage(made_up_draft(bundle, count, seed=10 + i)))
            say(f"snapshot {i + 1} of {n_swaps} staged")
        posts = [request("/search?k=10", file.read_bytes()) for file in sorted((folder / "pictures").glob("*.jpg"))]
        port = free_port()
        server = stack.enter_context(serving(service_command(options.bundle, store.root, port), port, folder / "log"))
        idle = server.rss_mb
        with highest_memory(server) as highest:
            under_load = _under_load(port, posts, store, staged, pause_s=options.pick(8, 1))
            answers, swaps = asyncio.run(under_load)
    workload = f"{count:,} made-up vectors, {n_swaps} swaps, {CLIENTS} clients in a closed loop, "
    workload += described(n_pictures, SMALL, options.data)
    rows = [*_rows(answers, swaps), _memory_row(idle, highest[0])]
    return Findings(workload=workload, rows=rows, charts=[_chart(answers, swaps)])


async def _under_load(
    port: int, posts: list[bytes], store: SnapshotStore, staged: list[StagedSnapshot], pause_s: float
) -> tuple[list[Timed], list[Swap]]:
    """Search without a pause; publish, wait until it is live, let some time pass, publish the next."""
    answers: list[Timed] = []
    over = asyncio.Event()

    async def client(number: int) -> None:
        connection = Connection(port)
        while not over.is_set():
            number += 1
            begin = time.perf_counter()
            answer = await timed(connection, posts[number % len(posts)], begin)
            answers.append(Timed(begin, begin + answer.seconds, answer.status))
        connection.close()

    clients = [asyncio.create_task(client(7 * number)) for number in range(CLIENTS)]
    swaps = []
    try:
        await asyncio.sleep(pause_s)
        for one in staged:
            await asyncio.sleep(pause_s)
            begin = time.perf_counter()
            await asyncio.to_thread(store.publish, one)
            await _live(port, one.manifest.version)
            swaps.append(Swap(begin, time.perf_counter()))
            say(f"taken after {swaps[-1].taken - begin:.2f} s")
        await asyncio.sleep(pause_s)
    finally:
        over.set()
        await asyncio.gather(*clients)
    first = min(answer.begin for answer in answers)
    return [answer for answer in answers if answer.begin > first + pause_s], swaps


async def _live(port: int, version: str) -> None:
    """Wait until the service says that this version is live."""
    deadline = time.monotonic() + _TIMEOUT_S
    while await asyncio.to_thread(_version, port) != version:
        if time.monotonic() > deadline:
            raise FeelalikeError(f"the service did not take version {version} within {_TIMEOUT_S:.0f} s")
        await asyncio.sleep(_POLL_S)


def _version(port: int) -> str | None:
    with urlopen(f"http://{HOST}:{port}/info", timeout=10) as answer:
        index = json.load(answer)["index"]
    version: str | None = index and index["version"]
    return version


def split(answers: list[Timed], swaps: list[Swap]) -> tuple[list[Timed], list[Timed]]:
    """Answers that a swap had any part in, and the others."""
    during: list[Timed] = []
    others: list[Timed] = []
    for answer in answers:
        touched = any(answer.begin < swap.end and answer.end > swap.begin for swap in swaps)
        (during if touched else others).append(answer)
    return during, others


def _rows(answers: list[Timed], swaps: list[Swap]) -> list[Row]:
    during, others = split(answers, swaps)
    failed = [answer.status for answer in answers if answer.status != 200]
    p99, usual = (_p(which, 0.99) for which in (during, others))
    seconds = ", ".join(f"{swap.taken - swap.begin:.2f}" for swap in swaps)
    told = f"{len(answers):,} requests, {len(during):,} of them during swaps"
    return [
        Row(
            what="requests that failed while snapshots were swapped",
            bar=_FAILED,
            measured=len(failed),
            unit="",
            detail=f"{told}; statuses {sorted(set(failed))}" if failed else told,
        ),
        Row(
            what="p99 of /search during swaps, against the time without",
            bar=_P99,
            measured=p99 / usual,
            unit="x",
            detail=f"{p99:.0f} ms against {usual:.0f}; p50 {_p(during, 0.5):.0f} against {_p(others, 0.5):.0f}, "
            f"the longest {_p(during, 1):.0f} against {_p(others, 1):.0f}; {told}",
        ),
        Row(
            what="from publishing to the new version being live, longest",
            bar=None,
            measured=max(swap.taken - swap.begin for swap in swaps),
            unit="s",
            detail=f"{seconds}; the service looks every second",
        ),
    ]


def _memory_row(idle_mb: float, highest_mb: float) -> Row:
    what = "highest memory of the service while two snapshots were in it, resident"
    detail = f"{idle_mb:.0f} MB before the first request; the vectors' files count where they are mapped"
    return Row(what=what, bar=None, measured=highest_mb, unit="MB", detail=detail)


def _p(answers: list[Timed], share: float) -> float:
    return 1000 * percentile([answer.end - answer.begin for answer in answers if answer.status == 200], share)


def _chart(answers: list[Timed], swaps: list[Swap]) -> Chart:
    parts = dict(zip(("during swaps", "otherwise"), split(answers, swaps), strict=True))
    shares = {"p50": 0.5, "p99": 0.99, "longest": 1.0}
    series = {name: [_p(part, share) for share in shares.values()] for name, part in parts.items()}
    return Chart(name="swap", title="/search while the index is swapped", unit="ms", labels=[*shares], series=series)


if __name__ == "__main__":
    start(NAME, TITLE, measure)
