"""The main directions of a gallery: a few numbers a vector, in which near neighbours are looked for.

Sentiment vectors of 680 numbers lie near a sheet of few dimensions. Distances along its main directions are never
longer than the true ones, and nearly as long, so a shortlist made there loses little; exact distances then rank it.
"""

from typing import Any, Final, NamedTuple

import faiss
import numpy as np
from jaxtyping import Float32

from emotion.arrays import Embeddings

SAMPLE_ROWS: Final = 65_536
"""Enough for a covariance of 680 numbers; more rows change the directions by less than rounding to 8 bits does."""


class Directions(NamedTuple):
    """A linear map to the main directions, the gallery's mean at the origin."""

    axes: Float32[np.ndarray, "d m"]
    """Orthonormal columns, the widest first."""
    offset: Float32[np.ndarray, "m"]

    def project(self, vectors: Embeddings) -> Float32[np.ndarray, "b m"]:
        """Coordinates along the directions."""
        return np.ascontiguousarray(vectors @ self.axes + self.offset, dtype=np.float32)


def main_directions(vectors: Embeddings, count: int, seed: int = 0) -> Directions:
    """The directions along which a gallery spreads most, from a sample of it; same vectors and seed, same directions.

    Args:
        vectors: the gallery; may be a memory map.
        count: how many directions, at most the size of a vector.
        seed: of the sample.
    """
    n_rows = min(len(vectors), SAMPLE_ROWS)
    rows = np.sort(np.random.default_rng(seed).choice(len(vectors), size=n_rows, replace=False))
    sample = np.asarray(vectors[rows], dtype=np.float32)
    mean = sample.mean(0, dtype=np.float64).astype(np.float32)
    sample -= mean
    _, axes = np.linalg.eigh((sample.T @ sample).astype(np.float64))
    axes = np.ascontiguousarray(axes[:, ::-1][:, :count], dtype=np.float32)
    return Directions(axes, -mean @ axes)


def with_directions(directions: Directions, index: Any) -> Any:
    """A FAISS index of whole vectors around one of projected vectors; FAISS writes and reads both as one file."""
    d, m = directions.axes.shape
    transform = faiss.LinearTransform(d, m, True)
    faiss.copy_array_to_vector(np.ascontiguousarray(directions.axes.T).ravel(), transform.A)
    faiss.copy_array_to_vector(directions.offset, transform.b)
    transform.is_trained = True
    return faiss.IndexPreTransform(transform, index)


def split(index: Any) -> tuple[Any, Directions | None]:
    """The inverse of `with_directions`; None for an index of whole vectors. The inner index lives as long as the whole.

    FAISS could search the whole itself. Apart, the inner index is what a GPU can hold, and takes parameters directly.
    """
    if not isinstance(index, faiss.IndexPreTransform):
        return index, None
    chain: Any = index.chain
    transform: Any = faiss.downcast_VectorTransform(chain.at(0))
    axes = faiss.vector_to_array(transform.A).reshape(transform.d_out, transform.d_in).T
    inner: Any = faiss.downcast_index(index.index)
    inner.referenced_objects = [index]
    return inner, Directions(np.ascontiguousarray(axes), faiss.vector_to_array(transform.b))
