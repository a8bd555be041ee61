import numpy as np
import pytest

from index.tsne import N_STEPS, affinities, conditional, forces, unfold


def divergence(p: np.ndarray, y: np.ndarray) -> float:
    """Equation 2 of the paper, pair by pair."""
    p = p.astype(np.float64)
    n = len(y)
    w = {(i, j): 1 / (1 + float(((y[i] - y[j]) ** 2).sum())) for i in range(n) for j in range(n) if i != j}
    total = sum(w.values())
    return sum(p[pair] * np.log(p[pair] * total / w[pair]) for pair in w if p[pair] > 0)


@pytest.mark.parametrize("perplexity", [2.0, 5.0, 20.0])
def test_every_point_has_so_many_neighbours(clustered, perplexity):
    vectors = clustered(80).astype(np.float64)
    squared = np.sort(((vectors[:, None] - vectors) ** 2).sum(axis=2), axis=1)[:, 1:]
    p = conditional(squared, perplexity)
    entropy_bits = -(p * np.log2(np.maximum(p, 1e-300))).sum(axis=1)
    np.testing.assert_allclose(2**entropy_bits, perplexity, rtol=1e-4)


def test_affinities_are_symmetric_and_sum_to_one(clustered):
    p = affinities(clustered(150), 10)
    np.testing.assert_array_equal(p, p.T)
    assert p.sum() == pytest.approx(1, abs=1e-5)
    assert not p.diagonal().any()


def test_equal_vectors_are_equally_near():
    p = affinities(np.ones((4, 3), np.float32), 1.5)
    assert np.isfinite(p).all()
    assert p.sum() == pytest.approx(1)


@pytest.mark.parametrize("n", [3, 70])
def test_the_forces_are_the_slope_of_the_divergence(clustered, n):
    p = affinities(clustered(n), 2)
    y = np.random.default_rng(0).normal(size=(n, 2)).astype(np.float32)
    gradient = forces(p, y)
    for i, axis in [(0, 0), (1, 1), (n - 1, 0)]:
        step = np.zeros_like(y, dtype=np.float64)
        step[i, axis] = 1e-5
        slope = (divergence(p, y + step) - divergence(p, y - step)) / 2e-5
        assert gradient[i, axis] == pytest.approx(slope, abs=1e-5)


def test_unfolding_lessens_the_divergence_and_tells_how_far_it_is(clustered):
    p = affinities(clustered(60), 5)
    start = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32) * np.float32(1e-4)
    steps = []
    y = unfold(p, start, steps.append)
    assert steps == list(range(1, N_STEPS + 1))
    assert divergence(p, y.astype(np.float64)) < 0.5 * divergence(p, start.astype(np.float64))
