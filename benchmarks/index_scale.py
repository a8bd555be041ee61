"""Search in growing galleries: exact search, the planned index, hnswlib and usearch, each in a process of its own.

The vectors are made up as real ones lie (`benchmarks.vectors`). Everyone searches with vectors that the gallery does
not hold, and is tuned to a recall@10 of .99 on others of that kind; ours only on the gallery itself, when it is built.
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

import numpy as np

from benchmarks.command import Options, start
from benchmarks.contenders import (
    CONNECTIVITY,
    EF_BUILD,
    EF_STEPS,
    IDS,
    TARGET,
    VECTORS,
    Built,
    K,
    Kind,
    build,
    is_installed,
    load,
    write_ids,
)
from benchmarks.measure import Ratio, in_ms, ratio, rotated
from benchmarks.results import Bar, Chart, ChartKind, Findings, Row, Sense
from benchmarks.vectors import DIM, Neighbourhood, blocks, made_up, neighbourhood, real_neighbourhood
from emotion.console import say
from index.recall import nearest_distances
from index.spec import IndexSpec

NAME: Final = "index_scale"
TITLE: Final = "Search in growing galleries"
SIZES: Final = (23_000, 200_000, 1_000_000)
QUICK_SIZES: Final = (1_000, 3_000)
WORK: Final = Path("build")
"""Holds 11 GB while a million is measured; in the system's temporary folder they might be memory."""
LARGEST_OF_OURS: Final = 500_000
"""For the graph along our directions, which is no rival: building one of a million takes minutes."""
_TIE: Final = 1e-6
_GALLERY_SEED, _TEST_SEED, _TUNING_SEED = 1, 2, 3

_RECALL = Bar(sense=Sense.AT_LEAST, limit=TARGET, unit="")
_FASTER = Bar(sense=Sense.AT_LEAST, limit=50, unit="x")
_MEMORY = Bar(sense=Sense.AT_MOST, limit=35, unit="%")
_RIVAL = Bar(sense=Sense.AT_MOST, limit=1, unit="x")


class Questions(NamedTuple):
    """Vectors to search with, and how far their tenth neighbours are."""

    queries: np.ndarray
    limits: np.ndarray

    @classmethod
    def draw(cls, count: int, gallery: np.ndarray) -> "tuple[Questions, Questions]":
        """Members of the gallery's clusters that it does not hold, compared with all of it: to test, and to tune."""
        queries = np.concatenate([made_up(count, seed) for seed in (_TEST_SEED, _TUNING_SEED)])
        limits = nearest_distances(queries, gallery, K)[:, -1] * (1 + _TIE) + _TIE
        return cls(queries[:count], limits[:count]), cls(queries[count:], limits[count:])


class Loaded(NamedTuple):
    """What a loaded index is like."""

    own_mib: float
    """Memory that no file backs, beyond that of the process before: index, ids and what searches allocate."""
    recall: float
    ef: int | None
    """What the target took; None where nothing was to be set."""


class Turn(NamedTuple):
    """Seconds a query in one turn."""

    one: float
    """Median of single queries on one thread."""
    batch: float
    """All queries in one call, two threads."""


class Contender(NamedTuple):
    """One index at one size."""

    kind: Kind
    built: Built
    loaded: Loaded
    turns: list[Turn]


def measure(options: Options) -> Findings:
    """One size after the other; within one, contenders take turns."""
    sizes = QUICK_SIZES if options.quick else SIZES
    WORK.mkdir(exist_ok=True)
    measured = {}
    for count in sizes:
        with tempfile.TemporaryDirectory(prefix="index-scale-", dir=WORK) as folder:
            measured[count] = _at_size(count, Path(folder), options)
    rows = [*_fit_rows(), *_size_rows(measured), *_growth_rows(measured)]
    workload = f"{', '.join(f'{count:,}' for count in sizes)} made-up vectors of {DIM} numbers that lie as real ones, "
    workload += f"k = {K}, one query at a time on one thread unless said otherwise; HNSW with M = {CONNECTIVITY}, "
    workload += f"{EF_BUILD} open while building"
    return Findings(workload=workload, rows=rows, charts=_charts(measured))


def _at_size(count: int, folder: Path, options: Options) -> list[Contender]:
    gallery = write_vectors(folder / VECTORS, count)
    write_ids(folder / IDS, count)
    n_queries = options.pick(200, 20)
    test, tuning = Questions.draw(n_queries, gallery)
    built = {}
    for kind in Kind:
        if is_installed(kind) and not (kind is Kind.USEARCH_DIRECTIONS and count > LARGEST_OF_OURS):
            built[kind] = _in_own_process(build, kind, folder)
            say(f"{count:,} vectors, {kind}: built in {built[kind].seconds:.1f} s")
    with ExitStack() as stack:
        workers = {kind: stack.enter_context(_worker(kind, folder, one.spec)) for kind, one in built.items()}
        loaded = {kind: Loaded(*worker.ask("tune", tuning, test)) for kind, worker in workers.items()}
        turns: dict[Kind, list[Turn]] = {kind: [] for kind in workers}
        for number in range(options.pick(9, 2)):
            for name in rotated([kind.name for kind in workers], number):
                kind = Kind[name]
                # An exact query takes a thousand times as long; a few are enough.
                queries = test.queries[:10] if kind is Kind.FLAT else test.queries
                turns[kind].append(Turn(*workers[kind].ask("turn", queries)))
    for kind, one in loaded.items():
        say(f"{count:,} vectors, {kind}: {_ms(turns[kind]):.3f} ms, recall {one.recall:.4f}, {one.own_mib:.0f} MiB")
    return [Contender(kind, built[kind], loaded[kind], turns[kind]) for kind in workers]


def write_vectors(file: Path, count: int) -> np.ndarray:
    """A gallery on disk, mapped."""
    vectors = np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=(count, DIM))
    start = 0
    for block in blocks(count, _GALLERY_SEED):
        vectors[start : start + len(block)] = block
        start += len(block)
    vectors.flush()
    del vectors
    mapped: np.ndarray = np.load(file, mmap_mode="r")
    return mapped


class _Asker(NamedTuple):
    """Our end of a worker's pipe."""

    pipe: Connection

    def ask(self, *question: Any) -> Any:
        self.pipe.send(question)
        answer = self.pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer


@contextmanager
def _worker(kind: Kind, folder: Path, spec: str) -> Iterator[_Asker]:
    """A process that has loaded an index and waits for questions; its memory is the index's alone."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, kind, folder, spec), daemon=True)
    process.start()
    theirs.close()
    try:
        yield _Asker(ours)
    finally:
        ours.close()
        process.join(10)
        process.kill()


def _serve(pipe: Connection, kind: Kind, folder: Path, spec: str) -> None:
    """Runs in the worker until the other end is closed."""
    import importlib

    for library in {Kind.HNSWLIB: ["hnswlib"], Kind.FLAT: [], Kind.OURS: []}.get(kind, ["usearch.index"]):
        importlib.import_module(library)  # its code is no part of the index's memory
    before = _own_mib()
    searcher = load(kind, folder, spec)
    vectors = np.load(folder / VECTORS, mmap_mode="r")
    while True:
        try:
            question = pipe.recv()
        except EOFError:
            return
        try:
            match question:
                case ("tune", tuning, test):
                    searcher.threads(1)
                    ef = _tuned(kind, searcher, tuning, vectors)
                    pipe.send((max(0.0, _own_mib() - before), _recall(searcher, test, vectors), ef))
                case ("turn", queries):
                    pipe.send(_turn(searcher, queries))
        except Exception as error:
            pipe.send(error)


def _tuned(kind: Kind, searcher: Any, questions: Questions, vectors: np.ndarray) -> int | None:
    if kind in (Kind.FLAT, Kind.OURS):
        _recall(searcher, questions, vectors)  # the memory that searches take counts for all
        return None
    for ef in EF_STEPS:
        searcher.tune(ef)
        if _recall(searcher, questions, vectors) >= TARGET:
            break
    return ef


def _recall(searcher: Any, questions: Questions, vectors: np.ndarray) -> float:
    n_found = 0
    for query, limit in zip(questions.queries, questions.limits, strict=True):
        rows = searcher.rows(query[None])[0]
        n_found += int((np.linalg.norm(vectors[rows].astype(np.float64) - query, axis=1) <= limit).sum())
    return n_found / (K * len(questions.queries))


def _turn(searcher: Any, queries: np.ndarray) -> Turn:
    searcher.threads(1)
    searcher.rows(queries[:1])
    seconds = []
    for query in queries:
        start = time.perf_counter()
        searcher.rows(query[None])
        seconds.append(time.perf_counter() - start)
    searcher.threads(2)
    searcher.rows(queries[: len(queries) // 4])
    start = time.perf_counter()
    searcher.rows(queries)
    return Turn(median(seconds), (time.perf_counter() - start) / len(queries))


def _in_own_process(work: Any, *arguments: Any) -> Any:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def _own_mib() -> float:
    """Memory of this process that no file backs: mapped vectors are the page cache's."""
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) / 1024
    raise LookupError("/proc/self/smaps_rollup has no line Anonymous")


def _fit_rows() -> list[Row]:
    """How far the made-up vectors lie as the real ones do, as many as there were of those."""
    count, real = real_neighbourhood()
    made = neighbourhood(made_up(count, _GALLERY_SEED))
    pairs = {
        "intrinsic dimension (two-NN)": (made.two_nn, real.two_nn),
        "distance to the nearest neighbour, median": (made.nearest[2], real.nearest[2]),
        "distance to the nearest neighbour, to that of any two, median": (_closeness(made), _closeness(real)),
    }
    return [
        Row(
            what=f"made-up vectors against {count:,} real ones: {what}",
            bar=None,
            measured=ours / theirs,
            unit="x",
            detail=f"{ours:.3g} against {theirs:.3g}",
        )
        for what, (ours, theirs) in pairs.items()
    ]


def _closeness(found: Neighbourhood) -> float:
    return found.nearest[2] / found.typical


def _size_rows(measured: dict[int, list[Contender]]) -> list[Row]:
    rows = []
    for count, contenders in measured.items():
        by_kind = {one.kind: one for one in contenders}
        ours, flat = by_kind[Kind.OURS], by_kind[Kind.FLAT]
        gallery, is_largest = f"{count:,} vectors", count == max(measured)
        detail = f"{_described(ours)}; built in {ours.built.seconds:.0f} s"
        rows.append(
            Row(what=f"{gallery}: recall@{K} of ours", bar=_RECALL, measured=ours.loaded.recall, unit="", detail=detail)
        )
        found = _against(flat, ours)
        detail = f"{_ms(flat.turns):.3g} ms against {_ms(ours.turns):.3g}; {found.spread}"
        bar, what = _FASTER if is_largest else None, f"{gallery}: times as fast as exact search"
        rows.append(Row(what=what, bar=bar, measured=found.median, unit="x", detail=detail))
        detail = f"{ours.loaded.own_mib:.0f} MiB with the ids; flat {flat.loaded.own_mib:.0f} MiB"
        share = 100 * ours.loaded.own_mib * 2**20 / (count * DIM * 4)
        bar, what = _MEMORY if is_largest else None, f"{gallery}: private memory of ours, of the float32 vectors'"
        rows.append(Row(what=what, bar=bar, measured=share, unit="%", detail=detail))
        bar = _RIVAL if is_largest else None
        rows += [row for one in contenders for row in _rival_rows(gallery, ours, one, bar)]
    missing = [kind for kind in Kind if not is_installed(kind)]
    rows += [
        Row(what=f"against {kind}", bar=_RIVAL, measured=None, unit="x", detail="not installed") for kind in missing
    ]
    return rows


def _rival_rows(gallery: str, ours: Contender, rival: Contender, bar: Bar | None) -> list[Row]:
    """Who is given our directions is no rival: what is compared with it is lists against a graph."""
    bar = None if rival.kind is Kind.USEARCH_DIRECTIONS else bar
    if rival.kind in (Kind.FLAT, Kind.OURS):
        return []
    about = f"at a recall of {rival.loaded.recall:.3f} with {rival.loaded.ef} open, {rival.loaded.own_mib:.0f} MiB, "
    about += f"built in {rival.built.seconds:.0f} s; ours {ours.loaded.recall:.3f}, {ours.loaded.own_mib:.0f} MiB"
    one = _against(ours, rival)
    batch = ratio([turn.batch for turn in ours.turns], [turn.batch for turn in rival.turns])
    singly = f"{_ms(ours.turns):.3f} ms against {_ms(rival.turns):.3f} {about}; {one.spread}"
    together = ", ".join(f"{in_ms([turn.batch for turn in which.turns]):.3f}" for which in (ours, rival))
    return [
        Row(what=f"{gallery}: time against {rival.kind}", bar=bar, measured=one.median, unit="x", detail=singly),
        Row(
            what=f"{gallery}: time against {rival.kind}, all queries at once on two threads",
            bar=None,
            measured=batch.median,
            unit="x",
            detail=f"ms a query, ours and theirs: {together}; {batch.spread}",
        ),
    ]


def _growth_rows(measured: dict[int, list[Contender]]) -> list[Row]:
    small, large = min(measured), max(measured)
    rows = []
    for kind in (one.kind for one in measured[large]):
        times = [next(_ms(one.turns) for one in measured[count] if one.kind is kind) for count in (small, large)]
        what = f"time of a query with {large:,} vectors against {small:,}: {kind}"
        detail = f"{times[1]:.3g} ms against {times[0]:.3g}; {large / small:.3g} times the vectors"
        rows.append(Row(what=what, bar=None, measured=times[1] / times[0], unit="x", detail=detail))
    return rows


def _described(ours: Contender) -> str:
    ivf = IndexSpec.model_validate_json(ours.built.spec).ivf
    assert ivf is not None
    return ivf.described(DIM)


def _against(of: Contender, to: Contender) -> Ratio:
    return ratio([turn.one for turn in of.turns], [turn.one for turn in to.turns])


def _ms(turns: Sequence[Turn]) -> float:
    return in_ms([turn.one for turn in turns])


def _charts(measured: dict[int, list[Contender]]) -> list[Chart]:
    """Exact search is left out of the times: beside it the others could not be told apart."""
    kinds = [kind for kind in Kind if all(any(one.kind is kind for one in at) for at in measured.values())]
    times, memory = (
        {
            kind.value: [next(figure(one) for one in at if one.kind is kind) for at in measured.values()]
            for kind in kinds
            if kind is not Kind.FLAT or with_flat
        }
        for figure, with_flat in ((lambda one: _ms(one.turns), False), (lambda one: one.loaded.own_mib, True))
    )
    labels = [f"{count:,}" for count in measured]
    common: dict[str, Any] = {"labels": labels, "kind": ChartKind.LINES, "x_label": "vectors"}
    return [
        Chart(name="index_scale_time", title="A query, recall@10 of .99", unit="ms", series=times, **common),
        Chart(name="index_scale_memory", title="Private memory of the index", unit="MiB", series=memory, **common),
    ]


if __name__ == "__main__":
    start(NAME, TITLE, measure)
