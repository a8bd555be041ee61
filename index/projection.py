"""The gallery laid flat: near on the map is near for the model, as far as two dimensions can show it."""

from collections.abc import Callable
from typing import Final, NamedTuple

import faiss
import numpy as np
from jaxtyping import Float32

from emotion.arrays import Embeddings
from index.directions import main_directions
from index.spec import MapMethod
from index.tsne import N_STEPS, affinities, unfold

Positions = Float32[np.ndarray, "n 2"]
"""In 0..1, both axes on one scale, y upwards."""

MAX_LANDMARKS: Final = 2000
"""Laid out with every pair counting, which takes the square of their number. All others are put beside them."""
TSNE_FROM: Final = 32
"""Below this many pictures t-SNE has little to unfold, and principal components are drawn."""
PERPLEXITY: Final = 30.0
N_DIRECTIONS: Final = 64
"""Main directions along which pictures are compared with the landmarks."""
N_BESIDE: Final = 3
"""Landmarks that a picture is put between; with more it may land where none of them is."""
START_SPREAD: Final = 1e-4
_BLOCK_ROWS: Final = 4096


class Layout(NamedTuple):
    """Where the pictures of a gallery lie, and how that was found."""

    positions: Positions
    method: MapMethod
    n_landmarks: int


OnShare = Callable[[float], None]
"""Told which share of the work is done; what it raises ends the work."""


def lay_flat(
    vectors: Embeddings, *, seed: int = 0, most_landmarks: int = MAX_LANDMARKS, on_share: OnShare = lambda _: None
) -> Layout:
    """Two dimensions for every vector; same vectors and seed, same layout.

    Args:
        vectors: the gallery, at least one; may be a memory map.
        seed: of the landmarks' choice.
        most_landmarks: how many vectors t-SNE lays out; the others are put beside their nearest.
        on_share: told how far it is.
    """
    count, dim = vectors.shape
    directions = main_directions(vectors, min(dim, N_DIRECTIONS), seed)
    n_landmarks = min(count, most_landmarks)
    rows = np.sort(np.random.default_rng(seed).choice(count, size=n_landmarks, replace=False))
    landmarks = directions.project(np.asarray(vectors[rows], dtype=np.float32))
    flat = _first_two(landmarks)
    spread = float(flat.std(axis=0).max())
    if n_landmarks < TSNE_FROM or spread < 1e-6:
        method = MapMethod.PRINCIPAL_COMPONENTS
    else:
        method = MapMethod.TSNE
        P = affinities(landmarks, min(PERPLEXITY, (n_landmarks - 1) / 3))
        share = (1.0 if n_landmarks == count else 0.5) / N_STEPS
        flat = unfold(P, flat * np.float32(START_SPREAD / spread), lambda step: on_share(share * step))
        flat = _principal(flat)
    positions = _unit_square(flat)
    if n_landmarks < count:
        positions = _beside(vectors, directions.project, landmarks, positions, on_share)
    return Layout(positions, method, n_landmarks)


def _beside(
    vectors: Embeddings,
    project: Callable[[Embeddings], Embeddings],
    landmarks: Embeddings,
    positions: Positions,
    on_share: OnShare,
) -> Positions:
    """Every vector beside its nearest landmark, half the way to the middle of the nearest few; a landmark stays.

    Half, because the whole way brings vectors of different landmarks among each other: of 1,980 photos on 500 landmarks
    .39 of the 10 nearest stay so, with the whole way .36.
    """
    k = min(N_BESIDE, len(landmarks))
    found = np.empty((len(vectors), 2), np.float32)
    for start in range(0, len(vectors), _BLOCK_ROWS):
        block = project(np.asarray(vectors[start : start + _BLOCK_ROWS], dtype=np.float32))
        squared, nearest = faiss.knn(block, landmarks, k)
        weights = 1 / (np.maximum(squared, 0) + 1e-9) ** 2
        weights /= weights.sum(axis=1, keepdims=True)
        middle = np.einsum("bk,bkc->bc", weights, positions[nearest])
        found[start : start + len(block)] = (positions[nearest[:, 0]] + middle) / 2
        on_share(0.5 + 0.5 * (start + len(block)) / len(vectors))
    return found


def _principal(flat: Positions) -> Positions:
    """Turned so that the longest side lies flat: t-SNE has no up or down."""
    centred = flat.astype(np.float64) - flat.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    return np.asarray(centred @ axes[:, ::-1], dtype=np.float32)


def _first_two(projected: Embeddings) -> Positions:
    return np.pad(projected[:, :2], ((0, 0), (0, max(0, 2 - projected.shape[1]))))


def _unit_square(flat: Positions) -> Positions:
    """Fit into 0..1, both axes by one scale, centred."""
    middle = (flat.max(axis=0) + flat.min(axis=0)) / 2
    span = float(np.ptp(flat, axis=0).max()) or 1.0
    return np.asarray(np.clip((flat - middle) / span + 0.5, 0, 1), dtype=np.float32)
