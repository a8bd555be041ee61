"""Fit the distance to the training pictures, and learn from pictures left out of the fit how far is far."""

from typing import Final, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64
from scipy.linalg import eigh
from sklearn.covariance import ledoit_wolf
from torch.nn import functional as F  # noqa: N812 - the name everyone uses

from emotion.console import progress, say
from emotion.familiarity import FamiliarityScale
from emotion.network.familiarity import Familiarity
from emotion.network.net import EmotionNet
from training.data.dataset import PictureDataset
from training.data.loader import single_pass_loader

BATCH_SIZE: Final = 32
N_FOLDS: Final = 5
MIN_PICTURES: Final = 20
"""With fewer a fold holds too few to say anything about the tail."""
N_QUANTILES: Final = 101
LEAST_VARIANCE: Final = 1e-12
"""Features that are all the same give no distance, and no division by zero."""


class Fitted(NamedTuple):
    """The constants of emotion.network.familiarity, by the same names."""

    mean: Float64[np.ndarray, "f"]
    directions: Float64[np.ndarray, "r f"]
    variances: Float64[np.ndarray, "r"]
    residual_variance: float

    def distances(self, features: Float[np.ndarray, "n f"]) -> Float64[np.ndarray, "n"]:
        """As the network reckons them, of features at unit length."""
        offset = features - self.mean
        along = offset @ self.directions.T
        rest = offset - along @ self.directions
        squared = (along**2 / self.variances).sum(axis=1) + (rest**2).sum(axis=1) / self.residual_variance
        return np.asarray(np.sqrt(squared))


def add_familiarity(
    net: EmotionNet, data: PictureDataset, rank: int, generator: np.random.Generator, *, n_workers: int = 0
) -> FamiliarityScale | None:
    """Give a trained net its distance to the training pictures; returns what the distances mean.

    Args:
        net: with its final weights; its spec changes too.
        data: the training pictures, not augmented.
        rank: directions to keep apart; 0 leaves the net as it is.
        generator: deals the pictures into folds.
        n_workers: processes that prepare pictures; the result is the same with any number.

    Returns:
        None where the net does not measure it: `rank` is 0, or there are fewer than MIN_PICTURES.
    """
    if rank == 0:
        return None
    if len(data) < MIN_PICTURES:
        say(f"{len(data)} training pictures are too few to say what is unfamiliar; the bundle goes without")
        return None
    features = pooled_features(net, data, n_workers)
    fitted = fit_distance(features, rank)
    attach(net, fitted)
    quantiles = np.quantile(left_out_distances(features, rank, generator), np.linspace(0, 1, N_QUANTILES))
    return FamiliarityScale(quantiles=tuple(quantiles.round(4).tolist()))


def fit_distance(features: Float[np.ndarray, "n f"], rank: int) -> Fitted:
    """Mean, and the Ledoit-Wolf covariance as its strongest directions and one variance for the rest.

    At most f - 1 directions and at most n - 1: beyond those the shrunk covariance is the same in all of them. Source:
    Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", 2004.
    """
    n, f = features.shape
    kept = min(rank, f - 1, n - 1)
    covariance, _ = ledoit_wolf(features.astype(np.float64))
    variances, columns = eigh(covariance, subset_by_index=[f - kept, f - 1])
    residual = (np.trace(covariance) - variances.sum()) / (f - kept)
    return Fitted(
        features.mean(axis=0, dtype=np.float64),
        columns.T,
        np.maximum(variances, LEAST_VARIANCE),
        max(float(residual), LEAST_VARIANCE),
    )


def left_out_distances(
    features: Float[np.ndarray, "n f"], rank: int, generator: np.random.Generator
) -> Float64[np.ndarray, "n"]:
    """Every picture's distance by a fit on the folds that it is not in."""
    folds = generator.permutation(len(features)) % N_FOLDS
    distances = np.empty(len(features))
    for fold in range(N_FOLDS):
        fitted = fit_distance(features[folds != fold], rank)
        distances[folds == fold] = fitted.distances(features[folds == fold])
    return distances


@torch.no_grad()
def attach(net: EmotionNet, fitted: Fitted) -> None:
    """Write the constants into the net."""
    rank, n_features = fitted.directions.shape
    familiarity = Familiarity(n_features, rank)
    for name, value in fitted._asdict().items():
        familiarity.get_buffer(name).copy_(torch.as_tensor(value))
    net.spec = net.spec.model_copy(update={"familiarity_rank": rank})
    net.familiarity = familiarity.to(net.head.weight.device)


@torch.no_grad()
def pooled_features(net: EmotionNet, data: PictureDataset, n_workers: int = 0) -> Float32[np.ndarray, "n f"]:
    """What the backbone makes of every picture, at unit length."""
    net.eval()
    device, pooled = net.head.weight.device, []
    with progress("familiarity", len(data), "pictures") as advance:
        for pixels, _ in single_pass_loader(data, BATCH_SIZE, n_workers, device):
            pooled.append(F.normalize(net.backbone(pixels.to(device)).pooled.float(), dim=1).cpu().numpy())
            advance(len(pixels))
    return np.concatenate(pooled)
