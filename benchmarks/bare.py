"""The stages of /search in one process without HTTP: decode, model, index and catalog; what the service is held to.

Decoding runs in as many threads as the service's pool has, overlapped with the model in batches and with searching.
"""

import json
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import numpy as np
import typer

from benchmarks.measure import percentile
from benchmarks.processes import run_json
from emotion.arrays import Embeddings, Pixels
from emotion.predictor import Predictor
from emotion.runtime import Device, Precision
from index.device import one_thread_per_search
from index.snapshot import Snapshot
from index.store import SnapshotStore
from service.answers import Naming, find_similar_many
from service.settings import ServiceSettings

K: Final = 10


class Bare(NamedTuple):
    """What the stages give without a server around them."""

    per_s: float
    """Pictures a second."""
    p50_ms: float | None
    """Of one picture, where there is one at a time."""


class Stages(NamedTuple):
    """The opened parts."""

    predictor: Predictor
    store: SnapshotStore
    snapshot: Snapshot
    settings: ServiceSettings

    def search(self, embeddings: Embeddings) -> int:
        """What the service does for the results of a batch; returns for how many pictures."""
        naming = Naming(self.predictor.taxonomy, self.predictor.thresholds)
        return len(find_similar_many(self.snapshot, self.store.catalog, naming, embeddings, K))


app = typer.Typer(add_completion=False)


@app.command()
def main(
    bundle: Annotated[Path, typer.Option(help="The model.")],
    store: Annotated[Path, typer.Option(help="The index.")],
    pictures: Annotated[Path, typer.Option(help="A folder of JPEGs.")],
    seconds: Annotated[float, typer.Option(help="How long it is measured.")],
    alone: Annotated[bool, typer.Option("--alone", help="One picture at a time, not overlapped.")] = False,
) -> None:
    """Run the stages on pictures and print one JSON object."""
    stages = open_stages(bundle, store)
    sources = [file.read_bytes() for file in sorted(pictures.glob("*.jpg"))]
    with stages.store.catalog.kept_open():  # as the service has it
        run = _one_by_one if alone else _overlapped
        run(stages, sources, min(3.0, seconds))
        found = run(stages, sources, seconds)
    sys.stdout.write(json.dumps(found._asdict()) + "\n")


def bare(bundle: Path, store: Path, pictures: Path, seconds: float, *, alone: bool) -> Bare:
    """Run this in a process of its own; raises FeelalikeError when it fails."""
    places: list[str | Path] = ["--bundle", bundle, "--store", store, "--pictures", pictures]
    how = ["--seconds", str(seconds), *(["--alone"] if alone else [])]
    return Bare(**run_json([sys.executable, "-m", "benchmarks.bare", *places, *how]))


def open_stages(bundle: Path, store: Path) -> Stages:
    """As the service opens them, with its settings' defaults."""
    predictor = Predictor.open(bundle, Device.CPU, Precision.FP32)
    opened = SnapshotStore(store)
    settings = ServiceSettings(bundle=bundle, store=store)
    return Stages(predictor, opened, opened.load(device=Device.CPU), settings)


def _one_by_one(stages: Stages, sources: Sequence[bytes], seconds: float) -> Bare:
    p50_ms = 1000 * percentile(one_by_one(stages, sources, seconds), 0.5)
    return Bare(1000 / p50_ms, p50_ms)


def _overlapped(stages: Stages, sources: Sequence[bytes], seconds: float) -> Bare:
    return Bare(throughput(stages, sources, seconds), None)


def one_by_one(stages: Stages, sources: Sequence[bytes], seconds: float) -> list[float]:
    """Seconds of each picture from its bytes to its neighbours."""
    found = []
    end = time.perf_counter() + seconds
    for source in cycle(sources):
        start = time.perf_counter()
        if start >= end:
            break
        pixels = stages.predictor.prepare(source)
        stages.search(stages.predictor.infer(pixels[None]).embeddings)
        found.append(time.perf_counter() - start)
    return found


def throughput(stages: Stages, sources: Sequence[bytes], seconds: float) -> float:
    """Pictures a second, decoding ahead of the model, searching behind it."""
    settings = stages.settings
    searches: deque[Future[int]] = deque()
    start = time.perf_counter()
    n_threads = settings.decode_threads
    with (
        ThreadPoolExecutor(n_threads) as decoders,
        ThreadPoolExecutor(n_threads, initializer=one_thread_per_search) as others,
    ):
        for batch in _batches(stages, decoders, sources, start + seconds):
            embeddings = stages.predictor.infer(np.stack(batch)).embeddings
            searches.append(others.submit(stages.search, embeddings))
    elapsed_s = time.perf_counter() - start
    return sum(search.result() for search in searches) / elapsed_s  # raises what went wrong: a failed search is quick


def _batches(
    stages: Stages, decoders: ThreadPoolExecutor, sources: Sequence[bytes], end: float
) -> Iterator[list[Pixels]]:
    size = stages.settings.batch_limit(Device.CPU)
    following = cycle(sources)
    waiting = deque(decoders.submit(stages.predictor.prepare, next(following)) for _ in range(3 * size))
    while time.perf_counter() < end:
        batch = [waiting.popleft().result() for _ in range(size)]
        waiting.extend(decoders.submit(stages.predictor.prepare, next(following)) for _ in range(size))
        yield batch
    for one in waiting:
        one.cancel()


if __name__ == "__main__":
    app()
