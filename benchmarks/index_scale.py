"""How exact search and the planned index grow with the gallery: build time, time a query, memory, recall.

The vectors are made up, as sentiment vectors lie: unit length, in clusters, near a space of few dimensions. Every index
is built in one process and searched in another, so that its memory is its own. The vectors lie in a file in a
temporary folder, 2.7 GB for a million, written block by block; memory peaks below 8 GB.
"""

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any, Final

import faiss
import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from emotion.runtime import Device
from index.device import to_device
from index.plan import plan_index
from index.recall import RecallProbe, nearest_distances
from index.rows import GalleryRows
from index.search import SearchIndex
from index.spec import IndexChoice, IndexKind, IndexSpec, WantedKind

DIM: Final = 680
SIZES: Final = (23_000, 200_000)
LARGE: Final = 1_000_000
N_QUERIES: Final = 200
_RANK = 24
_N_CLUSTERS = 200
_BLOCK_ROWS = 16_384
_VECTORS = "vectors.npy"
_TIE = 1e-6

app = typer.Typer(add_completion=False)


@app.command()
def main(
    sizes: Annotated[list[int] | None, typer.Option("--size", help="Pictures; may be given again.")] = None,
    large: Annotated[bool, typer.Option("--large", help="A million pictures too: about half an hour.")] = False,
    recall: Annotated[float, typer.Option(min=0.5, max=1, help="What the planned index must reach.")] = 0.99,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here too.")] = None,
) -> None:
    """Compare exact search with lists tuned to a recall, for growing galleries.

    Examples:

      python benchmarks/index_scale.py --json index_scale.json

      python benchmarks/index_scale.py --size 23000

      python benchmarks/index_scale.py --large
    """
    measured: list[dict[str, Any]] = []
    for count in [*(sizes or SIZES), *([LARGE] if large else [])]:
        with tempfile.TemporaryDirectory(prefix="feelalike-scale-") as folder:
            write_vectors(Path(folder) / _VECTORS, count)
            for kind in (WantedKind.FLAT, WantedKind.IVF):
                built = _in_own_process(build, Path(folder), kind, recall)
                measured.append(built | _in_own_process(serve, Path(folder), built["spec"]))
                Console(stderr=True).print(f"{count} {kind}: done")
    _add_growth(measured)
    Console(width=140).print(_table(measured))
    if json_file:
        json_file.write_text(json.dumps(measured, indent=1) + "\n")


def clustered_blocks(count: int, seed: int) -> Iterator[np.ndarray]:
    """Unit vectors of one fixed mixture, block by block; another seed gives other members of the same clusters."""
    shape = np.random.default_rng(0)
    basis = (shape.normal(size=(_RANK, DIM)) / np.sqrt(DIM)).astype(np.float32)
    centres = shape.normal(size=(_N_CLUSTERS, _RANK)).astype(np.float32)
    rng = np.random.default_rng(seed)
    for start in range(0, count, _BLOCK_ROWS):
        n = min(_BLOCK_ROWS, count - start)
        low = centres[rng.integers(0, _N_CLUSTERS, n)] + rng.normal(size=(n, _RANK)).astype(np.float32) / 2
        block = low @ basis + 0.01 * rng.normal(size=(n, DIM)).astype(np.float32)
        yield block / np.linalg.norm(block, axis=1, keepdims=True)


def write_vectors(file: Path, count: int) -> None:
    """A gallery on disk."""
    vectors = np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=(count, DIM))
    start = 0
    for block in clustered_blocks(count, seed=1):
        vectors[start : start + len(block)] = block
        start += len(block)
    vectors.flush()


def build(folder: Path, kind: WantedKind, recall: float) -> dict[str, Any]:
    """Build and tune an index, and write it to the folder."""
    vectors = np.load(folder / _VECTORS, mmap_mode="r")
    rows = GalleryRows(_ids(len(vectors)), vectors, np.zeros((len(vectors), 1), np.float32))
    start = time.perf_counter()
    probe = RecallProbe.draw(vectors)
    measured_truth = time.perf_counter()
    index, spec = plan_index(rows, IndexChoice(kind=kind, recall=recall), probe)
    done = time.perf_counter()
    faiss.write_index(index, str(folder / "index.faiss"))
    found = probe.recall(SearchIndex(to_device(index, Device.CPU), vectors, rows.ids, spec.ivf))
    return {
        "count": len(vectors),
        "spec": spec.model_dump(mode="json"),
        "truth_s": round(measured_truth - start, 2),
        "build_s": round(done - measured_truth, 2),
        "recall_at_10": round(found, 4),
        "peak_build_mib": _status_mib("VmHWM"),
    }


def serve(folder: Path, spec_fields: dict[str, Any]) -> dict[str, Any]:
    """Load an index as the service does and search it with vectors that it does not hold, one at a time."""
    spec = IndexSpec.model_validate(spec_fields)
    queries = next(clustered_blocks(N_QUERIES, seed=2))
    vectors = np.load(folder / _VECTORS, mmap_mode="r")
    ids = _ids(len(vectors))
    before = _own_mib()
    loaded = to_device(faiss.read_index(str(folder / "index.faiss")), Device.CPU)
    index = SearchIndex(loaded, vectors, ids, spec.ivf)
    index.search(queries[:1], 10)
    after_load = _own_mib()
    seconds = []
    for query in queries:
        start = time.perf_counter()
        index.search(query[None], 10)
        seconds.append(time.perf_counter() - start)
    after_queries = _own_mib()
    return {
        "ms_p50": round(1000 * float(np.median(seconds)), 2),
        "ms_p95": round(1000 * float(np.quantile(seconds, 0.95)), 2),
        "own_mib": round(after_load - before, 1),
        "leaked_mib": round(after_queries - after_load, 1),
        "unseen_recall_at_10": round(_unseen_recall(index, vectors, queries, 10), 4),
        "unseen_recall_at_100": round(_unseen_recall(index, vectors, queries, 100), 4),
    }


def _unseen_recall(index: SearchIndex, vectors: np.ndarray, queries: np.ndarray, k: int) -> float:
    limits = nearest_distances(queries, vectors, k)[:, -1] * (1 + _TIE) + _TIE
    found = [int((hits.distances <= limit).sum()) for limit, hits in zip(limits, index.search(queries, k), strict=True)]
    return sum(found) / (k * len(queries))


def _in_own_process(work: Any, *arguments: Any) -> dict[str, Any]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        result: dict[str, Any] = pool.submit(work, *arguments).result()
    return result


def _ids(count: int) -> tuple[str, ...]:
    return tuple(f"{row:032x}" for row in range(count))


def _own_mib() -> float:
    """Memory of this process that no file backs: mapped vectors are the page cache's."""
    return _kib(Path("/proc/self/smaps_rollup"), "Anonymous") / 1024


def _status_mib(name: str) -> float:
    return round(_kib(Path("/proc/self/status"), name) / 1024)


def _kib(file: Path, name: str) -> int:
    for line in file.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise LookupError(f"{file} has no line {name}")


def _add_growth(measured: list[dict[str, Any]]) -> None:
    """How many times longer a query takes than with the size before."""
    before: dict[str, float] = {}
    for one in measured:
        kind = one["spec"]["kind"]
        one["growth"] = round(one["ms_p50"] / before[kind], 2) if kind in before else None
        before[kind] = one["ms_p50"]


def _table(measured: list[dict[str, Any]]) -> Table:
    table = Table(title="leaked: more memory after the queries; unseen: queries that the gallery does not hold")
    titles = ["pictures", "index", "build s", "peak MiB", "ms", "p95", "growth", "MiB", "leaked"]
    for title in [*titles, "recall@10", "unseen @10", "@100"]:
        table.add_column(title, justify="right")
    for one in measured:
        ivf = one["spec"].get("ivf")
        kind = (
            IndexKind.FLAT if ivf is None else f"{ivf['n_probe']}/{ivf['n_lists']} lists x{ivf['candidates_per_hit']}"
        )
        names = ("build_s", "peak_build_mib", "ms_p50", "ms_p95", "growth", "own_mib", "leaked_mib", "recall_at_10")
        values = [one[name] for name in (*names, "unseen_recall_at_10", "unseen_recall_at_100")]
        table.add_row(f"{one['count']:,}", kind, *("" if value is None else str(value) for value in values))
    return table


if __name__ == "__main__":
    sys.exit(app())
