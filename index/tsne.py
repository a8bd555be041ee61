"""t-SNE (van der Maaten and Hinton, 2008): points in two dimensions whose neighbours are those of the vectors.

Exact, in plain numpy: every pair counts, which is the quickest way for up to some thousand points and brings no package
along. The letters are the paper's.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from jaxtyping import Float32, Float64

N_STEPS: Final = 500
N_EXAGGERATED: Final = 250
"""First steps, in which neighbours attract each other `EXAGGERATION` times as much: clusters find together."""
EXAGGERATION: Final = 12.0
NEIGHBOURS_PER_PERPLEXITY: Final = 3
"""Further ones have next to no weight."""
_BLOCK_ROWS: Final = 64
"""A block of distances then stays in a core's own cache: a third of the time."""

OnStep = Callable[[int], None]


def affinities(vectors: Float32[np.ndarray, "n d"], perplexity: float) -> Float32[np.ndarray, "n n"]:
    """P of equation 1 and section 3.1: symmetric, summing to 1; each point has about `perplexity` neighbours.

    Args:
        vectors: at least two.
        perplexity: below n.
    """
    n = len(vectors)
    squared_norms = np.einsum("nd,nd->n", vectors, vectors)
    squared = squared_norms[:, None] + squared_norms - 2 * (vectors @ vectors.T)
    np.fill_diagonal(squared, np.inf)
    k = min(n - 1, max(1, int(NEIGHBOURS_PER_PERPLEXITY * perplexity)))
    nearest = np.argpartition(squared, k - 1, axis=1)[:, :k]
    near = np.maximum(np.take_along_axis(squared, nearest, axis=1), 0).astype(np.float64)
    P = np.zeros((n, n), np.float32)
    np.put_along_axis(P, nearest, conditional(near, perplexity).astype(np.float32), axis=1)
    return (P + P.T) / np.float32(2 * n)


def conditional(squared: Float64[np.ndarray, "n k"], perplexity: float) -> Float64[np.ndarray, "n k"]:
    """p of j given i, equation 1, with the width of every point found by bisection; rows sum to 1.

    Where no width gives the perplexity, as among equal vectors, the neighbours count alike.
    """
    squared = squared - squared.min(axis=1, keepdims=True)
    squared /= np.maximum(squared.mean(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    low, high = np.full((len(squared), 1), -8.0), np.full((len(squared), 1), 8.0)
    for _ in range(40):
        middle = (low + high) / 2
        is_wide = _entropy(_softmax(squared, middle)) > np.log(perplexity)
        low, high = np.where(is_wide, middle, low), np.where(is_wide, high, middle)
    return _softmax(squared, low)


def forces(
    p: Float32[np.ndarray, "n n"], y: Float32[np.ndarray, "n 2"], exaggeration: float = 1.0
) -> Float32[np.ndarray, "n 2"]:
    """The gradient of the Kullback-Leibler divergence of Q from P, equation 5; p times `exaggeration`."""
    y1 = np.column_stack([y, np.ones(len(y), np.float32)])  # the last column sums the weights
    attraction, repulsion, Z = np.empty_like(y), np.empty_like(y), 0.0
    for start in range(0, len(y), _BLOCK_ROWS):
        rows = slice(start, start + _BLOCK_ROWS)
        W = np.square(y[rows, :1] - y[:, 0])
        W += np.square(y[rows, 1:] - y[:, 1])
        W += 1
        np.reciprocal(W, out=W)
        Z += float(W.sum())
        pull = (p[rows] * W) @ y1
        push = np.square(W, out=W) @ y1
        attraction[rows] = pull[:, 2:] * y[rows] - pull[:, :2]
        repulsion[rows] = push[:, 2:] * y[rows] - push[:, :2]
    return np.asarray(4 * (exaggeration * attraction - repulsion / (Z - len(y))), dtype=np.float32)


def unfold(
    p: Float32[np.ndarray, "n n"], start: Float32[np.ndarray, "n 2"], on_step: OnStep
) -> Float32[np.ndarray, "n 2"]:
    """Move points from a start until they lie as p says; same start, same end.

    Momentum and gains are those of the paper's section 3.4, the learning rate is that of Belkina et al. (2019).

    Args:
        p: what `affinities` gave.
        start: of a spread about 1e-4, so that nothing holds the points apart at first.
        on_step: told how many steps are done; what it raises ends the work.
    """
    y = start.astype(np.float32)
    velocity, gains = np.zeros_like(y), np.ones_like(y)
    rate = max(len(y) / EXAGGERATION / 4, 50.0)
    for step in range(N_STEPS):
        exaggeration, momentum = (EXAGGERATION, 0.5) if step < N_EXAGGERATED else (1.0, 0.8)
        gradient = forces(p, y, exaggeration)
        gains = np.maximum(np.where(np.sign(gradient) == np.sign(velocity), gains * 0.8, gains + 0.2), 0.01)
        velocity = (momentum * velocity - rate * gains * gradient).astype(np.float32)
        y = y + velocity
        on_step(step + 1)
    return y


def _softmax(squared: Float64[np.ndarray, "n k"], log_beta: Float64[np.ndarray, "n 1"]) -> Float64[np.ndarray, "n k"]:
    weights = np.exp(-np.exp(log_beta) * squared)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _entropy(p: Float64[np.ndarray, "n k"]) -> Float64[np.ndarray, "n 1"]:
    return np.asarray(-(p * np.log(np.maximum(p, 1e-300))).sum(axis=1, keepdims=True))
