"""The distance in the losses: D(i, j) = ||SV_i - SV_j||_2^2."""

from jaxtyping import Float
from torch import Tensor


def squared_distances(embedding: Float[Tensor, "b d"]) -> Float[Tensor, "b b"]:
    """All pairs within a batch of L2-normalised embeddings, in 0..4; the diagonal is exactly 0."""
    similarity = embedding @ embedding.T
    distances = (2 - 2 * similarity).clamp_min(0)
    return distances - distances.diag().diag()


def weighted_distances(distances: Float[Tensor, "b b"], dis: Float[Tensor, "b b"]) -> Float[Tensor, "b b"]:
    """D* = theta D with theta = 1 / dis(y_i, y_j) (AAAI-18, eq. 3)."""
    return distances / dis.to(distances.dtype)
