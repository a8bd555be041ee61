"""The service under four times the load that it can answer: what it still answers, how fast it refuses, its memory."""

import math
import tempfile
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from benchmarks.command import Options, start
from benchmarks.load import Load, load
from benchmarks.measure import ratio
from benchmarks.pictures import SMALL, described, write_jpegs
from benchmarks.processes import Server, free_port, highest_memory, service_command, serving
from benchmarks.results import Bar, Findings, Row, Sense
from benchmarks.stores import made_up_store
from emotion.bundle import load_bundle

NAME: Final = "overload"
TITLE: Final = "Overload"
TIMES: Final = 4
PEAK_CLIENTS: Final = 32
GALLERY: Final = 596

_THROUGHPUT = Bar(sense=Sense.AT_LEAST, limit=90, unit="%")
_REFUSAL = Bar(sense=Sense.BELOW, limit=20, unit="ms")
_MEMORY = Bar(sense=Sense.AT_MOST, limit=1.05, unit="x")


class Round(NamedTuple):
    """The peak, and right after it the overload."""

    peak: Load
    overload: Load
    memory_mb: float
    """Highest resident memory during the overload."""


def measure(options: Options) -> Findings:
    """Peak and overload take turns; the load is four times the peak just measured."""
    n_pictures = options.pick(64, 8)
    with tempfile.TemporaryDirectory(prefix="feelalike-overload-") as name:
        folder = Path(name)
        write_jpegs(folder / "pictures", n_pictures, SMALL, options.data)
        store = made_up_store(folder / "store", load_bundle(options.bundle), GALLERY).root
        port = free_port()
        with serving(service_command(options.bundle, store, port), port, folder / "service.log") as server:
            load(port, folder / "pictures", seconds=options.pick(5, 2), clients=options.pick(PEAK_CLIENTS, 4))
            rounds = [_round(server, folder / "pictures", options) for _ in range(options.pick(5, 2))]
    workload = f"{described(n_pictures, SMALL, options.data)}, {GALLERY} vectors, peak with {PEAK_CLIENTS} clients"
    return Findings(workload=workload, rows=_rows(rounds))


def _round(server: Server, pictures: Path, options: Options) -> Round:
    seconds = options.pick(10, 4)
    peak = load(server.port, pictures, seconds=seconds, clients=options.pick(PEAK_CLIENTS, 4))
    with highest_memory(server) as highest:
        overload = load(server.port, pictures, seconds=seconds, rate=TIMES * peak.per_s)
    return Round(peak, overload, highest[0])


def _rows(rounds: list[Round]) -> list[Row]:
    peaks, overloads = [one.peak.per_s for one in rounds], [one.overload for one in rounds]
    share = ratio([one.per_s for one in overloads], peaks)
    answered = median(one.per_s for one in overloads)
    refused = median(one.refused_per_s for one in overloads)
    own, broken = median(one.own_cores for one in overloads), sum(one.broken for one in overloads)
    facts = f"{answered:.1f}/s answered and {refused:.1f}/s refused, at the peak {median(peaks):.1f}/s; {share.spread}"
    facts += f"; the generator took {own:.2f} cores, {broken} connections broke"
    refusals = [one.refused_p50_ms for one in overloads if not math.isnan(one.refused_p50_ms)]
    first, last = rounds[0].memory_mb, rounds[-1].memory_mb
    growth = f"{last:.0f} MB at most against {first:.0f}"
    at = f"{TIMES} times the load"
    return [
        Row(
            what=f"{at}: throughput of the peak's", bar=_THROUGHPUT, measured=100 * share.median, unit="%", detail=facts
        ),
        Row(
            what=f"{at}: median time of a refusal",
            bar=_REFUSAL,
            measured=median(refusals) if refusals else None,
            unit="ms",
            detail="from when it was due" if refusals else "nothing was refused",
        ),
        Row(
            what=f"{at}: memory in the last round against the first",
            bar=_MEMORY,
            measured=last / first,
            unit="x",
            detail=growth,
        ),
    ]


if __name__ == "__main__":
    start(NAME, TITLE, measure)
