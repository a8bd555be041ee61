import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from training.losses.distances import squared_distances, weighted_distances


def test_squared_distances_of_unit_vectors() -> None:
    embedding = F.normalize(torch.randn(7, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64), dim=1)
    distances = squared_distances(embedding)
    for i in range(7):
        for j in range(7):
            assert distances[i, j].item() == pytest.approx(((embedding[i] - embedding[j]) ** 2).sum().item(), abs=1e-12)
    assert (distances.diag() == 0).all()


def test_weighting_divides_by_the_wheel_distance() -> None:
    weighted = weighted_distances(torch.tensor([[0.0, 2.0], [2.0, 0.0]]), torch.tensor([[1.0, 4.0], [4.0, 1.0]]))
    assert weighted.tolist() == [[0.0, 0.5], [0.5, 0.0]]
