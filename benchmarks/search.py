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
    """What one turn of all contenders gave."""

    bare: Bare
    loads: dict[int, Load]
    """By number of clients."""


class Run(NamedTuple):
    """All rounds on one gallery."""

    n_vectors: int
    rounds: list[Round]
    rss_mb: float
    """Of the service at the end."""


def measure(options: Options) -> Findings:
    """Every gallery in turn; on each, bare stages and clients take turns while the server stays up."""
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
        rounds = [_round(options, folder / "pictures", store, port, clients, i) for i in range(options.pick(3, 1))]
        return Run(count, rounds, server.rss_mb)


def _round(options: Options, pictures: Path, store: Path, port: int, clients: tuple[int, ...], number: int) -> Round:
    seconds = options.pick(10, 2)
    unloaded = bare(options.bundle, store, pictures, seconds)
    loads = {
        int(n): load(port, pictures, seconds=seconds, clients=int(n)) for n in rotated([*map(str, clients)], number)
    }
    return Round(unloaded, loads)


def _rows(run: Run) -> list[Row]:
    gallery = f"{run.n_vectors:,} vectors"
    bare_rate, bare_ms = [one.bare.per_s for one in run.rounds], [one.bare.p50_ms for one in run.rounds]
    rows = []
    for clients in sorted(run.rounds[0].loads):
        loads = [one.loads[clients] for one in run.rounds]
        # A lone client has nothing to overlap its picture with, nor have the bare stages then.
        alone = clients == 1
        bare_rates = [1000 / ms for ms in bare_ms] if alone else bare_rate
        share = ratio([one.per_s for one in loads], bare_rates)
        kind = "one by one" if alone else "overlapped"
        detail = f"{_facts(loads)}; bare, {kind}: {median(bare_rates):.1f}/s; {share.spread}"
        what = f"/search, {clients} {_clients(clients)}, {gallery}: throughput of the bare stages'"
        rows.append(Row(what=what, bar=_SHARE, measured=100 * share.median, unit="%", detail=detail))
        if alone:
            more = median(load.p50_ms - ms for load, ms in zip(loads, bare_ms, strict=True))
            detail = f"{median(load.p50_ms for load in loads):.1f} ms against {median(bare_ms):.1f} bare"
            what = f"/search, 1 client, {gallery}: median time beyond the bare stages'"
            rows.append(Row(what=what, bar=_MORE, measured=more, unit="ms", detail=detail))
    what = f"memory of the service after that, {gallery}"
    rows.append(Row(what=what, bar=None, measured=run.rss_mb, unit="MB", detail="resident"))
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
    clients = sorted(runs[0].rounds[0].loads)
    series = {}
    for run in runs:
        gallery, rounds = f"{run.n_vectors:,} vectors", run.rounds
        series[f"/search, {gallery}"] = [median(one.loads[n].per_s for one in rounds) for n in clients]
        series[f"bare, {gallery}"] = [median(one.bare.per_s for one in rounds)] * len(clients)
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
