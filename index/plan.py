"""Which index to build, and how to search it, decided on the gallery itself.

Exact while a query stays fast. Beyond, lists of 8-bit numbers along as few main directions as the neighbours allow,
with the parameters raised until the recall that was asked for is measured.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from emotion.runtime import Device
from index.build import build_flat, build_ivf
from index.device import to_device
from index.directions import split
from index.gpu import PLAN_SHARE, GpuForm, flat_bytes, gpu_is_available, gpu_memory
from index.recall import RECALL_AT, RecallProbe
from index.rows import GalleryRows
from index.search import SearchIndex
from index.spec import IndexChoice, IndexKind, IndexSpec, IvfSpec, WantedKind

EXACT_MAX_BYTES: Final = 16 * 2**20
"""What an exact query may read: 6,100 vectors of 680 numbers, about 1.5 ms on two cores, a fraction of the model's."""
CANDIDATES_PER_HIT: Final = (2, 4, 8, 16)
N_DIRECTIONS: Final = (32, 64, 128, 256)
"""Tried in this order, then whole vectors. Fewer than 32 save no time: a list's centre is compared anyway."""
SHORTLIST_PER_HIT: Final = 4
"""Candidates among which the directions must leave the neighbours, whatever lists are read."""
MARGIN: Final = 0.5
"""Of the misses that the target allows, kept for queries that the sample does not hold: .995 is tuned to for .99."""
CANDIDATE_COST: Final = 2
"""A byte compared exactly, to one read in a list: scattered over the vectors' file, and in float64."""


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
    """The fewest directions that keep the neighbours, and there the cheapest parameters that reach the target."""
    reasons: list[str] = []
    whole = rows.vectors.shape[1]
    for n_directions in (*(n for n in N_DIRECTIONS if n < whole), None):
        tuner = _Tuner(rows, build_ivf(rows.vectors, n_directions=n_directions), n_directions, target, probe)
        kept = 1.0 if n_directions is None else tuner.recall(tuner.n_lists, SHORTLIST_PER_HIT)
        if kept >= tuner.wanted:
            break
        reasons.append(f"{n_directions} directions leave {kept:.3f} of the neighbours in the shortlist")
    tried, missed = tuner.cheapest()
    ivf = tuner.spec(tried.n_probe, tried.candidates_per_hit, (*reasons, *missed))
    return _Tuned(PlannedIndex(tuner.index, IndexSpec(kind=IndexKind.IVF, ivf=ivf, reason=reason)), tried.recall)


class _Tried(NamedTuple):
    n_probe: int
    candidates_per_hit: int
    recall: float


@dataclass(frozen=True)
class _Tuner:
    """Tries parameters of one index."""

    rows: GalleryRows
    index: Any
    n_directions: int | None
    target: float
    probe: RecallProbe

    @property
    def wanted(self) -> float:
        """Recall on the sample that leaves a margin."""
        return self.target + MARGIN * (1 - self.target)

    @property
    def n_lists(self) -> int:
        return int(split(self.index)[0].nlist)

    def spec(self, n_probe: int, candidates_per_hit: int, reasons: tuple[str, ...] = ()) -> IvfSpec:
        return IvfSpec(
            n_lists=self.n_lists,
            n_probe=n_probe,
            candidates_per_hit=candidates_per_hit,
            target_recall=self.target,
            n_queries=len(self.probe.rows),
            n_directions=self.n_directions,
            reasons=reasons,
        )

    def recall(self, n_probe: int, candidates_per_hit: int) -> float:
        index = to_device(self.index, Device.CPU)
        spec = self.spec(n_probe, candidates_per_hit)
        return self.probe.recall(SearchIndex(index, self.rows.vectors, self.rows.ids, spec))

    def cost(self, n_probe: int, candidates_per_hit: int) -> float:
        """Bytes that a query for ten reads, those of candidates weighted: the same on every machine, unlike time."""
        count, dim = self.rows.vectors.shape
        in_lists = n_probe * count / self.n_lists * (self.n_directions or dim)
        return float(in_lists + CANDIDATE_COST * RECALL_AT * candidates_per_hit * dim * 4)

    def cheapest(self) -> tuple[_Tried, tuple[str, ...]]:
        """For each number of candidates the fewest lists that do; of these the cheapest, or else the widest tried.

        Fewer candidates need at least as many lists, so each search begins where the one before ended.
        """
        best: _Tried | None = None
        missed: str | None = None
        first = 1
        for candidates in reversed(CANDIDATES_PER_HIT):
            before: _Tried | None = None
            for n_probe in _steps(self.n_lists, first):
                first = n_probe
                if best and self.cost(n_probe, candidates) >= self.cost(best.n_probe, best.candidates_per_hit):
                    break
                tried = _Tried(n_probe, candidates, self.recall(n_probe, candidates))
                if tried.recall >= self.wanted:
                    best, missed = tried, _as_reason(before) or missed
                    break
                before = tried
            if best is None:
                break  # with the most candidates and all lists: nothing else will do
        return best or tried, (missed,) if missed else ()


def _as_reason(tried: _Tried | None) -> str | None:
    return tried and f"{tried.n_probe} lists would find {tried.recall:.3f}"


def _steps(last: int, first: int = 1) -> Iterator[int]:
    """1, 2, 3, 4, 6, 8, 11, ... and the last; those from `first` on."""
    step = 1
    while step < last:
        if step >= first:
            yield step
        step = max(step + 1, round(1.4 * step))
    yield last


def _gpu_holds(rows: GalleryRows, device: Device) -> bool:
    if device is Device.CPU or not gpu_is_available():
        return False
    count, dim = rows.vectors.shape
    return flat_bytes(count, dim, GpuForm.FLOAT32) <= PLAN_SHARE * gpu_memory().total
