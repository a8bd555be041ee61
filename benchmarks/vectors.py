"""Made-up sentiment vectors that lie as real ones do, in any number.

`vectors.npz` holds what `python -m benchmarks.fit_vectors` fitted to the sentiment vectors of some thousand photos: a
mixture of Gaussians in 12 dimensions, a small network that bends it into the 64 main directions of the real vectors,
and how far those lie off the bent sheet. No picture's own vector is kept. What is drawn has the form of sentiment
vectors: five levels of equal length, no number below zero, unit length.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float, Float32

FITTED: Final = Path(__file__).with_name("vectors.npz")
DIM: Final = 680
LEVELS: Final = 5
NEAREST_QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
_BLOCK_ROWS: Final = 16_384
_TWO_NN_SHARE: Final = 0.9

Arrays = dict[str, np.ndarray]
Vectors = Float32[np.ndarray, "n d"]


class Neighbourhood(NamedTuple):
    """How close the vectors of a gallery lie; only galleries of equal size compare."""

    nearest: tuple[float, ...]
    """Quantiles of the distance to the nearest other: `NEAREST_QUANTILES`."""
    typical: float
    """Median of all distances."""
    two_nn: float
    """Intrinsic dimension by Facco et al. (2017): how fast the second neighbour follows the first."""


@cache
def fitted() -> Arrays:
    """What was fitted, in float32."""
    with np.load(FITTED, allow_pickle=False) as file:
        return {name: file[name].astype(np.float32) for name in file.files}


def blocks(count: int, seed: int, arrays: Arrays | None = None) -> Iterator[Vectors]:
    """Unit vectors, block by block; same seed, same vectors.

    Args:
        count: how many in all.
        seed: another one gives other members of the same clusters.
        arrays: in place of what the package ships.
    """
    arrays = arrays or fitted()
    rng = np.random.default_rng(seed)
    for start in range(0, count, _BLOCK_ROWS):
        yield _drawn(min(_BLOCK_ROWS, count - start), rng, arrays)


def made_up(count: int, seed: int) -> Vectors:
    """The blocks as one array."""
    return np.concatenate(list(blocks(count, seed)))


def real_neighbourhood() -> tuple[int, Neighbourhood]:
    """Of the photos that the fit was made to, and how many those were."""
    arrays = fitted()
    nearest, typical, two_nn = arrays["real_nearest"], arrays["real_typical"], arrays["real_two_nn"]
    return int(arrays["real_count"]), Neighbourhood(tuple(nearest.tolist()), float(typical), float(two_nn))


def neighbourhood(vectors: Vectors) -> Neighbourhood:
    """Measure a gallery of some thousand vectors: all pairs are compared.

    The 10 % of pictures with the largest ratio of second to first distance are left out of the fit, as Facco et al. do.
    """
    exact = vectors.astype(np.float64)
    squared = (exact**2).sum(1)
    distances = np.sqrt(np.maximum(squared[:, None] + squared - 2 * exact @ exact.T, 0))
    typical = float(np.median(distances[np.triu_indices(len(exact), 1)]))
    np.fill_diagonal(distances, np.inf)
    first, second = np.partition(distances, 1, axis=1)[:, :2].T
    nearest = tuple(np.quantile(first, NEAREST_QUANTILES).tolist())
    return Neighbourhood(nearest, typical, two_nn_dimension(first, second))


def two_nn_dimension(first: Float[np.ndarray, "n"], second: Float[np.ndarray, "n"]) -> float:
    """Slope of -log(1 - F) over log(second / first), through the origin; equal pictures are left out."""
    ratios = np.sort(np.log(second[first > 0] / first[first > 0]))
    share = np.arange(1, len(ratios) + 1) / (len(ratios) + 1)
    kept = int(_TWO_NN_SHARE * len(ratios))
    x, y = ratios[:kept], -np.log(1 - share[:kept])
    return float(x @ y / (x @ x))


def bent(latent: Float[np.ndarray, "n q"], arrays: Arrays) -> Float[np.ndarray, "n r"]:
    """The network: a straight part and two layers of tanh."""
    hidden = np.tanh(latent @ arrays["weight0"].T + arrays["bias0"])
    hidden = np.tanh(hidden @ arrays["weight1"].T + arrays["bias1"])
    main: np.ndarray = latent @ arrays["straight"].T + hidden @ arrays["weight2"].T + arrays["bias2"]
    return main


def _drawn(count: int, rng: np.random.Generator, arrays: Arrays) -> Vectors:
    shares = arrays["shares"].astype(np.float64)
    cluster = np.sort(rng.choice(len(shares), size=count, p=shares / shares.sum()))
    noise = rng.standard_normal((count, arrays["straight"].shape[1]), dtype=np.float32)
    for one in range(len(shares)):
        noise[cluster == one] @= arrays["factors"][one].T
    main = bent(arrays["centres"][cluster] + noise, arrays)
    main += rng.standard_normal(main.shape, dtype=np.float32) @ arrays["off_sheet"].T
    vectors = arrays["mean"] + main @ arrays["basis"].T
    vectors += arrays["rest"] * rng.standard_normal(vectors.shape, dtype=np.float32)
    rng.shuffle(vectors)
    levels = np.maximum(vectors, 0).reshape(count, LEVELS, -1)
    levels /= np.linalg.norm(levels, axis=2, keepdims=True) * np.sqrt(LEVELS, dtype=np.float32)
    drawn: np.ndarray = levels.reshape(count, -1)
    return drawn
