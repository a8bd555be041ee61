"""/search end to end: a real server and clients in other processes, against the same stages bare in one process."""

import tempfile
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from benchmarks.bare import Bare, bare
from benchmarks.command import Options, start
from benchmarks.load import Load, load
from benchmarks.measure import ratio, rotated
from benchmarks.pictures import SMALL, described, write_jpegs
from benchmarks.processes import free_port, service_command, serving
from benchmarks.results import Bar, Chart, ChartKind, Findings, Row, Sense
from benchmarks.stores import made_up_store
from emotion.bundle import load_bundle

NAME: Final = "search"
TITLE: Final = "/search end to end"
CLIENTS: Final = (1, 8, 32, 64)
GALLERIES: Final = (596, 100_000)
"""As many as fi-mini has, and so many that the index is of lists."""
QUICK_GALLERIES: Final = (300,)
QUICK_CLIENTS: Final = (1, 8)

_SHARE = Bar(sense=Sense.AT_LEAST, limit=85, unit="%")
_MORE = Bar(sense=Sense.AT_MOST, limit=3, unit="ms")


class Round(NamedTuple):
    """One turn of some clients and one of the bare stages, each first in every second round."""

    bare: Bare
    load: Load


class Run(NamedTuple):
    """All rounds on one gallery."""

    n_vectors: int
    rounds: dict[int, list[Round]]
    """By number of clients."""
    rss_mb: float
    """Of the service at the end."""


def measure(options: Options) -> Findings:
    """Every gallery in turn; on each, bare stages and clients take turns while the server stays up.

    The turns are short and side by side: this kind of machine changes its pace by a tenth within a minute.
    """
    n_pictures, clients = options.pick(64, 8), QUICK_CLIENTS if options.quick else CLIENTS
    with tempfile.TemporaryDirectory(prefix="feelalike-search-") as folder:
        pictures = Path(folder) / "pictures"
        write_jpegs(pictures, n_pictures, SMALL, options.data)
        counts = QUICK_GALLERIES if options.quick else GALLERIES
        runs = [_run(options, Path(folder), count, clients) for count in counts]
    rows = [row for run in runs for row in _rows(run)]
    workload = f"{described(n_pictures, SMALL, options.data)}, k = 10, fp32, made-up vectors, closed loops"
    return Findings(workload=workload, rows=rows, charts=[_chart(runs)])


def _run(options: Options, folder: Path, count: int, clients: tuple[int, ...]) -> Run:
    store = made_up_store(folder / f"store-{count}", load_bundle(options.bundle), count).root
    port = free_port()
    with serving(service_command(options.bundle, store, port), port, folder / "service.log") as server:
        load(port, folder / "pictures", seconds=options.pick(5, 1), clients=max(clients))
        rounds: dict[int, list[Round]] = {n: [] for n in clients}
        for number in range(options.pick(6, 1)):
            for n in map(int, rotated([*map(str, clients)], number)):
                rounds[n].append(_round(options, folder / "pictures", store, port, n, bare_first=number % 2 == 0))
        return Run(count, rounds, server.rss_mb)


def _round(options: Options, pictures: Path, store: Path, port: int, clients: int, *, bare_first: bool) -> Round:
    seconds = options.pick(5, 2)
    loaded = None if bare_first else load(port, pictures, seconds=seconds, clients=clients)
    # A lone client has nothing to overlap its picture with, nor have the bare stages then.
    unloaded = bare(options.bundle, store, pictures, seconds, alone=clients == 1)
    return Round(unloaded, loaded or load(port, pictures, seconds=seconds, clients=clients))


def _rows(run: Run) -> list[Row]:
    rows = [row for clients, rounds in run.rounds.items() for row in _rows_of(clients, rounds, run.n_vectors)]
    what = f"memory of the service after that, {run.n_vectors:,} vectors"
    return [*rows, Row(what=what, bar=None, measured=run.rss_mb, unit="MB", detail="resident")]


def _rows_of(clients: int, rounds: list[Round], n_vectors: int) -> list[Row]:
    loads, bares = [one.load for one in rounds], [one.bare for one in rounds]
    share = ratio([load.per_s for load in loads], [bare.per_s for bare in bares])
    kind = "one by one" if clients == 1 else "overlapped"
    detail = f"{_facts(loads)}; bare, {kind}: {median(bare.per_s for bare in bares):.1f}/s; {share.spread}"
    what = f"/search, {clients} {_clients(clients)}, {n_vectors:,} vectors: throughput of the bare stages'"
    rows = [Row(what=what, bar=_SHARE, measured=100 * share.median, unit="%", detail=detail)]
    times = [(one.load.p50_ms, one.bare.p50_ms) for one in rounds if one.bare.p50_ms is not None]
    if times:
        more = median(ours - bare for ours, bare in times)
        detail = f"{median(ours for ours, _ in times):.1f} ms against {median(bare for _, bare in times):.1f} bare"
        what = f"/search, 1 client, {n_vectors:,} vectors: median time beyond the bare stages'"
        rows.append(Row(what=what, bar=_MORE, measured=more, unit="ms", detail=detail))
    return rows


def _clients(n: int) -> str:
    return "client" if n == 1 else "clients"


def _facts(loads: list[Load]) -> str:
    rate, p99 = median(load.per_s for load in loads), median(load.p99_ms for load in loads)
    refused, broken = median(load.refused_per_s for load in loads), sum(load.broken for load in loads)
    own = median(load.own_cores for load in loads)
    parts = [f"{rate:.1f}/s", f"p99 {p99:.0f} ms", f"the clients took {own:.2f} cores"]
    parts += [f"{refused:.1f} refused/s"] if refused else []
    parts += [f"{broken} broken"] if broken else []
    return ", ".join(parts)


def _chart(runs: list[Run]) -> Chart:
    clients = list(runs[0].rounds)
    series = {}
    for run in runs:
        gallery = f"{run.n_vectors:,} vectors"
        series[f"/search, {gallery}"] = [median(one.load.per_s for one in run.rounds[n]) for n in clients]
        series[f"bare, {gallery}"] = [median(one.bare.per_s for one in run.rounds[n]) for n in clients]
    labels = [str(n) for n in clients]
    title = "Throughput of /search"
    return Chart(
        name="search",
        title=title,
        unit="a second",
        labels=labels,
        series=series,
        kind=ChartKind.LINES,
        x_label="clients",
    )


if __name__ == "__main__":
    start(NAME, TITLE, measure)
