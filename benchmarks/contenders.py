"""Indexes to compare with ours: built in one process, searched in another, all through the same few calls.

Ours, and what compares numbers of fewer bits, ends with the same exact ranking from the memory-mapped vectors. Rivals
are given one parameter to tune, as they have it: how many vectors a search keeps open (`ef`).
"""

import time
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

import faiss
import numpy as np

from benchmarks.vectors import DIM
from emotion.arrays import Embeddings
from emotion.runtime import Device
from index.build import build_flat
from index.device import to_device
from index.directions import Directions, main_directions
from index.plan import plan_index
from index.recall import RecallProbe
from index.rows import GalleryRows, PictureIds, encode_ids
from index.search import SearchIndex
from index.spec import IndexChoice, IndexSpec, WantedKind

VECTORS: Final = "vectors.npy"
IDS: Final = "ids.npy"
K: Final = 10
TARGET: Final = 0.99
CONNECTIVITY: Final = 16
EF_BUILD: Final = 64
EF_STEPS: Final = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
N_DIRECTIONS: Final = 32
"""As the planner finds them for these vectors."""
_ADD_ROWS: Final = 65_536


class Kind(StrEnum):
    """Who is compared."""

    FLAT = "exact, flat"
    OURS = "ours"
    HNSWLIB = "hnswlib, float32"
    USEARCH = "usearch, 8 bits, re-ranked"
    USEARCH_DIRECTIONS = "usearch, float16 along our 32 directions, re-ranked"


class Built(NamedTuple):
    """A built index."""

    seconds: float
    spec: str
    """Of ours, as JSON; empty for the others."""


Search = Callable[[Embeddings], Sequence[np.ndarray]]
"""Rows of the nearest, query by query."""


class Searcher(Protocol):
    """A loaded index."""

    def rows(self, queries: Embeddings) -> Sequence[np.ndarray]:
        """The K nearest of each query."""
        ...

    def tune(self, ef: int) -> None:
        """Set what trades time for recall; no effect where nothing is to be set."""
        ...

    def threads(self, count: int) -> None:
        """For the queries of one call."""
        ...


def is_installed(kind: Kind) -> bool:
    """Whether the library can be imported."""
    try:
        match kind:
            case Kind.HNSWLIB:
                import hnswlib  # noqa: F401
            case Kind.USEARCH | Kind.USEARCH_DIRECTIONS:
                import usearch.index  # noqa: F401
            case _:
                pass
    except ImportError:
        return False
    return True


def build(kind: Kind, folder: Path) -> Built:
    """Build from the folder's vectors with all cores, and write the index there."""
    vectors = np.load(folder / VECTORS, mmap_mode="r")
    start, spec = time.perf_counter(), ""
    file = str(folder / kind.name)
    match kind:
        case Kind.FLAT:
            faiss.write_index(build_flat(vectors), file)
        case Kind.OURS:
            rows = GalleryRows(PictureIds(np.load(folder / IDS)), vectors, np.zeros((len(vectors), 1), np.float32))
            choice = IndexChoice(kind=WantedKind.IVF, recall=TARGET)
            index, found = plan_index(rows, choice, RecallProbe.draw(vectors))
            faiss.write_index(index, file)
            spec = found.model_dump_json()
        case Kind.HNSWLIB:
            _build_hnswlib(vectors, file)
        case Kind.USEARCH | Kind.USEARCH_DIRECTIONS:
            code = _Code.fit(kind, vectors)
            code.save(folder / f"{kind.name}.npz")
            _build_usearch(vectors, code, file)
    return Built(time.perf_counter() - start, spec)


def load(kind: Kind, folder: Path, spec: str) -> Searcher:
    """Load an index as a service would: the vectors stay in the file."""
    vectors = np.load(folder / VECTORS, mmap_mode="r")
    ids = PictureIds(np.load(folder / IDS))
    file = str(folder / kind.name)
    match kind:
        case Kind.FLAT:
            return _Faiss(SearchIndex(to_device(faiss.read_index(file), Device.CPU), vectors, ids))
        case Kind.OURS:
            ivf = IndexSpec.model_validate_json(spec).ivf
            return _Faiss(SearchIndex(to_device(faiss.read_index(file), Device.CPU), vectors, ids, ivf))
        case Kind.HNSWLIB:
            return _Hnswlib(file)
        case Kind.USEARCH | Kind.USEARCH_DIRECTIONS:
            return _Usearch(file, _Code.load(kind, folder / f"{kind.name}.npz"), vectors)


def write_ids(file: Path, count: int) -> None:
    """Ids as a snapshot has them."""
    np.save(file, encode_ids([f"{row:032x}" for row in range(count)]))


class _Faiss:
    def __init__(self, index: SearchIndex) -> None:
        self._index = index

    def rows(self, queries: Embeddings) -> Sequence[np.ndarray]:
        return [hits.rows for hits in self._index.search(queries, K)]

    def tune(self, ef: int) -> None:
        """Was tuned when it was built."""

    def threads(self, count: int) -> None:
        faiss.omp_set_num_threads(count)


class _Hnswlib:
    def __init__(self, file: str) -> None:
        import hnswlib

        self._index = hnswlib.Index("l2", DIM)
        self._index.load_index(file)
        self._threads = 1

    def rows(self, queries: Embeddings) -> Sequence[np.ndarray]:
        labels: Sequence[np.ndarray] = self._index.knn_query(queries, K, num_threads=self._threads)[0].astype(np.int64)
        return labels

    def tune(self, ef: int) -> None:
        self._index.set_ef(ef)

    def threads(self, count: int) -> None:
        self._threads = count


def _build_hnswlib(vectors: np.ndarray, file: str) -> None:
    import hnswlib

    index = hnswlib.Index("l2", DIM)
    index.init_index(len(vectors), M=CONNECTIVITY, ef_construction=EF_BUILD)
    for start in range(0, len(vectors), _ADD_ROWS):
        index.add_items(vectors[start : start + _ADD_ROWS], np.arange(start, min(start + _ADD_ROWS, len(vectors))))
    index.save_index(file)


class _Code(NamedTuple):
    """What usearch stores of a vector: 8 bits of each number, one scale for all, or the directions in float16."""

    kind: Kind
    directions: Directions | None
    mean: np.ndarray
    scale: float

    @classmethod
    def fit(cls, kind: Kind, vectors: np.ndarray) -> "_Code":
        if kind is Kind.USEARCH_DIRECTIONS:
            return cls(kind, main_directions(vectors, N_DIRECTIONS), np.zeros(0, np.float32), 1.0)
        sample = vectors[:: max(1, len(vectors) // 20_000)]
        mean = sample.mean(0)
        # What lies further out is cut off: a finer scale is worth more to all the others.
        return cls(kind, None, mean, 127 / float(np.quantile(np.abs(sample - mean), 0.9999)))

    def save(self, file: Path) -> None:
        axes, offset = self.directions or (np.zeros(0), np.zeros(0))
        np.savez(file, allow_pickle=False, axes=axes, offset=offset, mean=self.mean, scale=self.scale)

    @classmethod
    def load(cls, kind: Kind, file: Path) -> "_Code":
        with np.load(file) as one:
            directions = Directions(one["axes"], one["offset"]) if one["axes"].size else None
            return cls(kind, directions, one["mean"], float(one["scale"]))

    @property
    def dim(self) -> int:
        return DIM if self.directions is None else N_DIRECTIONS

    @property
    def dtype(self) -> str:
        return "i8" if self.directions is None else "f16"

    def of(self, vectors: Embeddings) -> np.ndarray:
        if self.directions is not None:
            return self.directions.project(vectors).astype(np.float16)
        codes: np.ndarray = np.clip(np.rint((vectors - self.mean) * self.scale), -127, 127).astype(np.int8)
        return codes


class _Usearch:
    """As many candidates are ranked as its search keeps open, at most 8 for each hit."""

    def __init__(self, file: str, code: _Code, vectors: np.ndarray) -> None:
        self._index = _usearch_index(code)
        self._index.load(file)
        self._code, self._vectors, self._threads = code, np.asarray(vectors), 1

    def rows(self, queries: Embeddings) -> Sequence[np.ndarray]:
        count = min(8 * K, max(2 * K, self._index.expansion_search), len(self._index))
        found = self._index.search(self._code.of(queries), count, threads=self._threads)
        keys = np.atleast_2d(found.keys).astype(np.int64)
        return [self._ranked(query, rows) for query, rows in zip(queries, keys, strict=True)]

    def tune(self, ef: int) -> None:
        self._index.expansion_search = ef

    def threads(self, count: int) -> None:
        self._threads = count

    def _ranked(self, query: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """As SearchIndex ranks its candidates."""
        differences = self._vectors.take(rows, axis=0).astype(np.float64)
        differences -= query
        distances = np.sqrt(np.vecdot(differences, differences)).astype(np.float32)
        ranked: np.ndarray = rows[np.lexsort((rows, distances))[:K]]
        return ranked


def _usearch_index(code: _Code) -> Any:
    from usearch.index import Index

    return Index(ndim=code.dim, metric="l2sq", dtype=code.dtype, connectivity=CONNECTIVITY, expansion_add=EF_BUILD)


def _build_usearch(vectors: np.ndarray, code: _Code, file: str) -> None:
    index = _usearch_index(code)
    for start in range(0, len(vectors), _ADD_ROWS):
        block = code.of(np.asarray(vectors[start : start + _ADD_ROWS]))
        index.add(np.arange(start, start + len(block)), block)
    index.save(file)
