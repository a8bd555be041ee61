"""Building the FAISS index of a gallery, and measuring what it finds."""

from typing import Any, Final

import faiss
import numpy as np
from jaxtyping import Float32, Float64

from emotion.arrays import Embeddings
from index.search import SearchIndex
from index.spec import IndexKind, IndexSpec

Gallery = Float32[np.ndarray, "n d"]

RECALL_AT: Final = 10
N_RECALL_QUERIES: Final = 64
_BLOCK_ROWS = 16_384
_TIE = 1e-6


def build_index(vectors: Gallery, spec: IndexSpec) -> Any:
    """A CPU index of the vectors, row for row."""
    match spec.kind:
        case IndexKind.FLAT:
            index = faiss.IndexFlatL2(vectors.shape[1])
    index.add(np.ascontiguousarray(vectors, dtype=np.float32))
    return index


def measure_recall(index: SearchIndex, vectors: Gallery, *, k: int = RECALL_AT, seed: int = 0) -> float:
    """Share of the true k nearest neighbours that a search gives.

    Queries are a sample of the gallery. A hit counts when it is as near as the true k-th neighbour: which of several
    equally distant pictures is named is no loss.
    """
    rng = np.random.default_rng(seed)
    sample = rng.choice(len(vectors), size=min(N_RECALL_QUERIES, len(vectors)), replace=False)
    queries = np.asarray(vectors[np.sort(sample)])
    k = min(k, len(vectors))
    exact = exact_distances(queries, vectors)
    limits = np.partition(exact, k - 1, axis=1)[:, k - 1] * (1 + _TIE) + _TIE
    n_true = sum(int((exact[i, hits.rows] <= limits[i]).sum()) for i, hits in enumerate(index.search(queries, k)))
    return n_true / (k * len(queries))


def exact_distances(queries: Embeddings, vectors: Gallery) -> Float64[np.ndarray, "b n"]:
    """All Euclidean distances in float64, block by block so that a large memory-mapped gallery fits."""
    exact = queries.astype(np.float64)
    columns = []
    for start in range(0, len(vectors), _BLOCK_ROWS):
        block = np.asarray(vectors[start : start + _BLOCK_ROWS], dtype=np.float64)
        squared = (exact**2).sum(1)[:, None] + (block**2).sum(1) - 2 * exact @ block.T
        columns.append(np.sqrt(np.maximum(squared, 0)))
    return np.concatenate(columns, axis=1)
