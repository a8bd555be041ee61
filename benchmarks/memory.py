"""Memory of the service over thousands of requests: how much, and whether it grows."""

import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.command import Options, start
from benchmarks.load import Load, load
from benchmarks.pictures import SMALL, described, write_jpegs
from benchmarks.processes import Server, free_port, highest_memory, service_command, serving
from benchmarks.results import Bar, Chart, ChartKind, Findings, Row, Sense
from benchmarks.stores import made_up_store
from emotion.bundle import load_bundle

NAME: Final = "memory"
TITLE: Final = "Memory of the service"
GALLERY: Final = 23_000
REQUESTS: Final = 10_000
CLIENTS: Final = 8

_RESIDENT = Bar(sense=Sense.AT_MOST, limit=450, unit="MB")
_FLAT = Bar(sense=Sense.AT_MOST, limit=1.05, unit="x")


class Sample(NamedTuple):
    """The service after so many requests."""

    answered: int
    rss_mb: float
    """When they were answered."""
    highest_mb: float
    """While they were."""


def measure(options: Options) -> Findings:
    """Searches, with a short pause every few seconds; memory is read in the pauses, and while they run."""
    count, wanted = options.pick(GALLERY, 300), options.pick(REQUESTS, 20)
    n_pictures = options.pick(64, 8)
    with tempfile.TemporaryDirectory(prefix="feelalike-memory-") as name:
        folder = Path(name)
        write_jpegs(folder / "pictures", n_pictures, SMALL, options.data)
        store = made_up_store(folder / "store", load_bundle(options.bundle), count).root
        port = free_port()
        with serving(service_command(options.bundle, store, port), port, folder / "service.log") as server:
            idle = server.rss_mb
            samples = _samples(server, folder / "pictures", wanted, options.pick(10, 2))
    workload = f"{count:,} vectors, {CLIENTS} clients, {described(n_pictures, SMALL, options.data)}"
    return Findings(workload=workload, rows=_rows(samples, idle), charts=[_chart(samples)])


def _samples(server: Server, pictures: Path, wanted: int, seconds: float) -> list[Sample]:
    samples = []
    answered = 0
    while answered < wanted:
        with highest_memory(server) as highest:
            found: Load = load(server.port, pictures, seconds=seconds, clients=CLIENTS)
        answered += round(found.per_s * seconds)
        samples.append(Sample(answered, server.rss_mb, highest[0]))
    return samples


def _rows(samples: list[Sample], idle_mb: float) -> list[Row]:
    """Growth is counted from the first sample: by then every thread and every batch size had its memory."""
    first, last, highest = samples[0], samples[-1], max(one.highest_mb for one in samples)
    growth = f"{first.rss_mb:.0f} MB after {first.answered:,} requests, {last.rss_mb:.0f} after {last.answered:,}"
    resident = f"the highest while requests ran; before the first {idle_mb:.0f} MB"
    return [
        Row(what="memory of the CPU service, resident", bar=_RESIDENT, measured=highest, unit="MB", detail=resident),
        Row(
            what=f"its memory after {last.answered:,} requests, against the beginning",
            bar=_FLAT,
            measured=last.rss_mb / first.rss_mb,
            unit="x",
            detail=growth,
        ),
    ]


def _chart(samples: list[Sample]) -> Chart:
    """At most a dozen points, evenly spread."""
    shown = samples[:: max(1, len(samples) // 12)]
    return Chart(
        name="memory",
        title="Memory of the service",
        unit="MB",
        labels=[f"{one.answered:,}" for one in shown],
        series={"resident": [one.rss_mb for one in shown]},
        kind=ChartKind.LINES,
        x_label="requests answered",
    )


if __name__ == "__main__":
    start(NAME, TITLE, measure)
