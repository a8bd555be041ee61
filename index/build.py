"""Building a FAISS index on the CPU, row for row."""

from collections.abc import Callable
from math import isqrt
from typing import Any, Final

import faiss
import numpy as np
from jaxtyping import Float32

from index.directions import main_directions, with_directions
from index.gpu import GPU_MAX_K

Gallery = Float32[np.ndarray, "n d"]

MAX_LISTS: Final = GPU_MAX_K
"""A GPU can read no more lists for a query, and must be able to read them all: an answer is never short."""
MIN_POINTS_PER_LIST: Final = 39
TRAINING_POINTS_PER_LIST: Final = 64
"""k-means at its slowest, 2048 lists of 680 numbers, then takes 4e12 operations: about a minute on two cores."""
_ADD_ROWS = 65_536


def build_flat(vectors: Gallery) -> Any:
    """An index that compares every vector."""
    index = faiss.IndexFlatL2(vectors.shape[1])
    index.add(np.ascontiguousarray(vectors, dtype=np.float32))
    return index


def n_lists_for(count: int) -> int:
    """About as many lists as make finding the nearest of them and reading some of them equally dear."""
    return max(1, min(4 * isqrt(count), count // MIN_POINTS_PER_LIST, MAX_LISTS))


def build_ivf(vectors: Gallery, seed: int = 0, n_directions: int | None = None) -> Any:
    """An index of lists around k-means centres, with 8 bits a number; same vectors and seed, same index.

    Args:
        vectors: the gallery; may be a memory map.
        seed: of the sample that the centres are found from.
        n_directions: keep only so many numbers of each vector, along the main directions; all by default.
    """
    dim = vectors.shape[1]
    if n_directions is None:
        return _lists(vectors, dim, seed, np.ascontiguousarray)
    directions = main_directions(vectors, n_directions, seed)
    return with_directions(directions, _lists(vectors, n_directions, seed, directions.project))


def _lists(vectors: Gallery, dim: int, seed: int, prepare: Callable[[Gallery], Gallery]) -> Any:
    count = len(vectors)
    n_lists = n_lists_for(count)
    quantizer = faiss.IndexFlatL2(dim)
    index = faiss.IndexIVFScalarQuantizer(quantizer, dim, n_lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_L2)
    index.cp.seed = seed
    index.cp.min_points_per_centroid = 1  # only decides when FAISS prints a warning; n_lists_for sees to the ratio
    index.cp.max_points_per_centroid = TRAINING_POINTS_PER_LIST
    n_training = min(count, n_lists * TRAINING_POINTS_PER_LIST)
    sample = np.sort(np.random.default_rng(seed).choice(count, size=n_training, replace=False))
    index.train(prepare(np.asarray(vectors[sample], dtype=np.float32)))
    for start in range(0, count, _ADD_ROWS):
        index.add(prepare(np.asarray(vectors[start : start + _ADD_ROWS], dtype=np.float32)))
    return index
