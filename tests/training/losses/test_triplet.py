"""The triplet loss against its definition, a case by hand, and the triplets that it looks at."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from training.losses.distances import squared_distances
from training.losses.mining import Mining, mine_triplets
from training.losses.triplet import TripletLoss

MARGIN = 0.2


def _batch(seed: int, n: int = 24) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    embedding = F.normalize(torch.randn(n, 6, generator=generator, dtype=torch.float64), dim=1)
    return embedding, torch.randint(0, 4, (n,), generator=generator)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _distance(embedding: Tensor, i: int, j: int) -> float:
    return float(((embedding[i] - embedding[j]) ** 2).sum())


@pytest.mark.parametrize("mining", list(Mining))
@pytest.mark.parametrize("seed", [1, 2])
def test_equals_the_definition_on_valid_triplets(mining: Mining, seed: int) -> None:
    embedding, labels = _batch(seed)
    triplets = mine_triplets(squared_distances(embedding), labels, MARGIN, mining, _generator(seed))
    losses = []
    for a, p, n in zip(*(column.tolist() for column in triplets), strict=True):
        assert a != p
        assert labels[a] == labels[p] != labels[n]
        d_ap, d_an = _distance(embedding, a, p), _distance(embedding, a, n)
        assert mining is Mining.HARD or d_an < d_ap + MARGIN
        assert mining is not Mining.SEMI_HARD or d_an > d_ap
        losses.append(max(0.0, d_ap - d_an + MARGIN))
    loss = TripletLoss(margin=MARGIN, mining=mining)(embedding, labels, _generator(seed))
    assert len(losses) > 10
    assert loss.item() == pytest.approx(sum(losses) / len(losses), abs=1e-9)


def test_every_pair_with_a_semi_hard_negative_is_used() -> None:
    embedding, labels = _batch(3)
    n = len(labels)
    expected = {
        (a, p)
        for a in range(n)
        for p in range(n)
        if a != p
        and labels[a] == labels[p]
        and any(
            labels[j] != labels[a] and 0 < _distance(embedding, a, j) - _distance(embedding, a, p) < MARGIN
            for j in range(n)
        )
    }
    found = mine_triplets(squared_distances(embedding), labels, MARGIN, Mining.SEMI_HARD, _generator())
    assert set(zip(found.anchor.tolist(), found.positive.tolist(), strict=True)) == expected


def test_a_case_by_hand() -> None:
    """Two of one emotion at 0 and 60 degrees, another at 65: D = 1, 1.1548 and .0076.

    Hard: [1 - 1.1548 + .2]_+ = .0452 from 0, [1 - .0076 + .2]_+ = 1.1924 from 60; semi-hard has the first alone.
    """
    degrees = torch.tensor([0.0, 60.0, 65.0], dtype=torch.float64) * math.pi / 180
    embedding, labels = torch.stack([degrees.cos(), degrees.sin()], dim=1), torch.tensor([0, 0, 5])
    hard = TripletLoss(mining=Mining.HARD)(embedding, labels, _generator()).item()
    assert hard == pytest.approx((0.0452 + 1.1924) / 2, abs=1e-4)
    assert TripletLoss()(embedding, labels, _generator()).item() == pytest.approx(0.0452, abs=1e-4)
