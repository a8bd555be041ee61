"""Which index to build, and how to search it, decided on the gallery itself.

Exact while a query stays fast. Beyond, lists and 8-bit numbers, with the parameters raised until the recall that was
asked for is measured.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from emotion.runtime import Device
from index.build import build_flat, build_ivf
from index.device import DeviceIndex
from index.gpu import PLAN_SHARE, GpuForm, flat_bytes, gpu_is_available, gpu_memory
from index.recall import RecallProbe
from index.rows import GalleryRows
from index.search import SearchIndex
from index.spec import IndexChoice, IndexKind, IndexSpec, IvfSpec, WantedKind

EXACT_MAX_BYTES: Final = 128 * 2**20
"""What an exact query may read: 49,000 vectors of 680 numbers, about 15 ms on two cores."""
CANDIDATES_PER_HIT: Final = (2, 4, 8, 16)


class PlannedIndex(NamedTuple):
    """A FAISS index on the CPU, and how to search it."""

    index: Any
    spec: IndexSpec


def plan_index(
    rows: GalleryRows,
    choice: IndexChoice,
    probe: RecallProbe,
    *,
    device: Device = Device.CPU,
    exact_max_bytes: int = EXACT_MAX_BYTES,
) -> PlannedIndex:
    """Build the index that a gallery needs.

    Args:
        rows: the gallery; ids ascend.
        choice: what the operator wants.
        probe: queries to tune with.
        device: where it will be searched.
        exact_max_bytes: what an exact query may read.
    """
    if choice.kind is WantedKind.FLAT:
        return _exact(rows, "asked for")
    if choice.kind is WantedKind.IVF:
        return _tuned(rows, choice.recall, probe, "asked for").planned
    n_bytes = rows.vectors.size * 4
    size, limit = f"{n_bytes / 2**20:.0f} MiB", f"{exact_max_bytes / 2**20:.0f} MiB"
    if n_bytes <= exact_max_bytes:
        return _exact(rows, f"an exact query reads {size}, fast up to {limit}")
    if _gpu_holds(rows, device):
        return _exact(rows, f"the vectors, {size}, fit the GPU's memory")
    tuned = _tuned(rows, choice.recall, probe, f"an exact query would read {size}, more than {limit}")
    if tuned.recall < choice.recall:
        return _exact(rows, f"an approximate index reached a recall of {tuned.recall:.3f}, not {choice.recall}")
    return tuned.planned


class _Tuned(NamedTuple):
    planned: PlannedIndex
    recall: float


def _exact(rows: GalleryRows, reason: str) -> PlannedIndex:
    return PlannedIndex(build_flat(rows.vectors), IndexSpec(reason=reason))


def _tuned(rows: GalleryRows, target: float, probe: RecallProbe, reason: str) -> _Tuned:
    """The fewest lists that reach the target with many candidates, then the fewest candidates that still do."""
    index = build_ivf(rows.vectors)
    on_cpu = DeviceIndex(index, Device.CPU)

    def tried(n_probe: int, candidates_per_hit: int) -> tuple[IvfSpec, float]:
        ivf = IvfSpec(
            n_lists=index.nlist,
            n_probe=n_probe,
            candidates_per_hit=candidates_per_hit,
            target_recall=target,
            n_queries=len(probe.rows),
        )
        return ivf, probe.recall(SearchIndex(on_cpu, rows.vectors, rows.ids, ivf))

    attempts = (tried(n_probe, CANDIDATES_PER_HIT[-1]) for n_probe in _steps(index.nlist))
    widest, recall = _first_reaching(target, attempts)
    fewer = (tried(widest.n_probe, candidates) for candidates in CANDIDATES_PER_HIT)
    ivf, recall = _first_reaching(target, fewer)
    return _Tuned(PlannedIndex(index, IndexSpec(kind=IndexKind.IVF, ivf=ivf, reason=reason)), recall)


def _first_reaching(target: float, attempts: Iterator[tuple[IvfSpec, float]]) -> tuple[IvfSpec, float]:
    """The first attempt that reaches the target, or else the last."""
    attempt = next(attempts)
    while attempt[1] < target and (wider := next(attempts, None)):
        attempt = wider
    return attempt


def _steps(last: int) -> Iterator[int]:
    """1, 2, 3, 4, 6, 8, 11, ... and the last."""
    step = 1
    while step < last:
        yield step
        step = max(step + 1, round(1.4 * step))
    yield last


def _gpu_holds(rows: GalleryRows, device: Device) -> bool:
    if device is Device.CPU or not gpu_is_available():
        return False
    count, dim = rows.vectors.shape
    return flat_bytes(count, dim, GpuForm.FLOAT32) <= PLAN_SHARE * gpu_memory().total
