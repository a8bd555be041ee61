"""The distance to the training pictures, by hand and against the full covariance."""

import numpy as np
import pytest
import torch

from emotion.network.familiarity import Familiarity
from emotion.network.net import EmotionNet
from emotion.network.spec import NetworkSpec


def test_by_hand() -> None:
    """Mean (.6, 0, 0); variance .04 along the first axis, .16 along the others; (5, 0, 0) counts as (1, 0, 0)."""
    familiarity = Familiarity(n_features=3, rank=1)
    familiarity.mean.copy_(torch.tensor([0.6, 0, 0]))
    familiarity.variances.fill_(0.04)
    familiarity.residual_variance.fill_(0.16)
    pooled = torch.tensor([[5.0, 0, 0], [6, 8, 0], [0, 3, 4], [0, 0, 0]])
    assert familiarity(pooled).tolist() == pytest.approx([2, 2, np.sqrt(9 + 6.25), 3], abs=1e-5)


def test_all_directions_together_are_the_mahalanobis_distance() -> None:
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(6, 6))
    covariance, mean, features = mixed @ mixed.T + np.eye(6), rng.normal(size=6), rng.normal(size=(10, 6))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    variances, directions = np.linalg.eigh(covariance)
    familiarity = Familiarity(6, rank=6)
    for name, value in {"mean": mean, "directions": directions.T, "variances": variances}.items():
        familiarity.get_buffer(name).copy_(torch.from_numpy(value))
    expected = [np.sqrt((row - mean) @ np.linalg.inv(covariance) @ (row - mean)) for row in features]
    assert familiarity(torch.from_numpy(features).float()).numpy() == pytest.approx(np.array(expected), rel=1e-4)


def test_a_net_measures_it_when_its_spec_says_so() -> None:
    pixels = torch.zeros(2, 3, 64, 64)
    for rank in (0, 4):
        net = EmotionNet(NetworkSpec(backbone="test_efficientnet", familiarity_rank=rank), n_classes=8).eval()
        with torch.no_grad():
            outputs = net(pixels)
        assert len(outputs.present()) == (3 if rank else 2)
        assert outputs.unfamiliarity is None or outputs.unfamiliarity.shape == (2,)
