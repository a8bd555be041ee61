"""The sentiment loss against the definition written slowly, a case by hand, and what a training loop relies on."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from emotion.taxonomy import MIKELS
from training.losses.distances import squared_distances
from training.losses.mining import NONE, Mining, Tuples, mine
from training.losses.sentiment import SentimentLoss

POLARITY = torch.from_numpy(MIKELS.polarity_codes())
MARGINS = (0.2, 0.1)


def _batch(seed: int, n: int = 32, d: int = 6) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    embedding = F.normalize(torch.randn(n, d, generator=generator, dtype=torch.float64), dim=1)
    return embedding, torch.randint(0, 8, (n,), generator=generator)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _loss_by_definition(embedding: Tensor, labels: Tensor, tuples: Tuples) -> float:
    names = [MIKELS.names[label] for label in labels]

    def weighted(i: int, j: int) -> float:
        return float(((embedding[i] - embedding[j]) ** 2).sum()) / MIKELS.dis(names[i], names[j])

    total = 0.0
    for a, p, r, n in zip(*(column.tolist() for column in tuples), strict=True):
        total += max(0.0, weighted(a, p) - weighted(a, r) + MARGINS[0])
        if n != NONE:
            total += max(0.0, weighted(a, r) - weighted(a, n) + MARGINS[1])
    return total / len(tuples.anchor)


@pytest.mark.parametrize("mining", list(Mining))
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_equals_the_definition(mining: Mining, seed: int) -> None:
    embedding, labels = _batch(seed)
    tuples = mine(squared_distances(embedding), labels, POLARITY[labels], MARGINS, mining, _generator(seed))
    loss = SentimentLoss(MIKELS, mining=mining).double()(embedding, labels, _generator(seed))
    assert len(tuples.anchor) > 10
    assert loss.item() == pytest.approx(_loss_by_definition(embedding, labels, tuples), abs=1e-9)


def test_a_case_by_hand() -> None:
    """Anchor and positive awe at 0 and 60 degrees, contentment at 65, fear at 68: one tuple from each end.

    D(0, 60) = 2 - 2 cos 60 = 1; D(0, 65) = 1.1548; D(0, 68) = 1.2508. dis(awe, contentment) = 2, dis(awe, fear) = 3.
    Anchor 0: [1 - 1.1548/2 + .2]_+ + [1.1548/2 - 1.2508/3 + .1]_+ = .6226 + .2605. Anchor 60 has no related picture
    farther than its positive, so its pair is dropped.
    """
    degrees = torch.tensor([0.0, 60.0, 65.0, 68.0], dtype=torch.float64) * math.pi / 180
    embedding = torch.stack([degrees.cos(), degrees.sin()], dim=1)
    labels = torch.tensor([MIKELS.index(name) for name in ("awe", "awe", "contentment", "fear")])
    loss = SentimentLoss(MIKELS).double()(embedding, labels, _generator())
    assert loss.item() == pytest.approx(0.6226 + 0.2605, abs=2e-4)


@pytest.mark.parametrize("mining", list(Mining))
@pytest.mark.parametrize("seed", range(5))
def test_tuples_are_what_the_method_says(mining: Mining, seed: int) -> None:
    embedding, labels = _batch(seed, n=40)
    distances = squared_distances(embedding)
    sides = POLARITY[labels]
    for a, p, r, n in zip(*mine(distances, labels, sides, MARGINS, mining, _generator(seed)), strict=True):
        assert a != p
        assert labels[a] == labels[p]
        assert labels[r] != labels[a]
        assert sides[r] == sides[a]
        if mining is Mining.SEMI_HARD:
            assert distances[a, p] < distances[a, r] < distances[a, p] + MARGINS[0]
        if n != NONE:
            assert sides[n] != sides[a]
            if mining is Mining.SEMI_HARD:
                assert distances[a, r] < distances[a, n] < distances[a, r] + MARGINS[1]


def test_every_pair_with_a_semi_hard_related_picture_is_used() -> None:
    embedding, labels = _batch(7)
    distances, sides = squared_distances(embedding), POLARITY[labels]
    expected = set()
    for a in range(len(labels)):
        for p in range(len(labels)):
            in_reach = (distances[a] > distances[a, p]) & (distances[a] < distances[a, p] + MARGINS[0])
            related = in_reach & (sides == sides[a]) & (labels != labels[a])
            if a != p and labels[a] == labels[p] and related.any():
                expected.add((a, p))
    tuples = mine(distances, labels, sides, MARGINS, Mining.SEMI_HARD, _generator())
    assert set(zip(tuples.anchor.tolist(), tuples.positive.tolist(), strict=True)) == expected


def test_hard_takes_the_nearest() -> None:
    embedding, labels = _batch(3)
    distances, sides = squared_distances(embedding), POLARITY[labels]
    for a, _, r, _ in zip(*mine(distances, labels, sides, MARGINS, Mining.HARD, _generator()), strict=True):
        related = (sides == sides[a]) & (labels != labels[a])
        assert distances[a, r] == distances[a][related].min()


@pytest.mark.parametrize("names", [("awe", "fear"), ("awe", "awe", "awe"), ("awe", "contentment")])
def test_no_valid_tuple_gives_zero_with_a_gradient(names: tuple[str, ...]) -> None:
    embedding = F.normalize(torch.randn(len(names), 6, generator=_generator()), dim=1).requires_grad_()
    loss = SentimentLoss(MIKELS)(embedding, torch.tensor([MIKELS.index(n) for n in names]), _generator())
    loss.backward()
    assert loss.item() == 0
    assert embedding.grad is not None
    assert (embedding.grad == 0).all()


def test_gradient_is_exact() -> None:
    embedding, labels = _batch(5, n=16)
    loss = SentimentLoss(MIKELS).double()
    assert torch.autograd.gradcheck(lambda e: loss(e, labels, _generator(5)), embedding.requires_grad_())


def test_identical_embeddings_have_a_finite_gradient() -> None:
    embedding = torch.ones(16, 4).div(2).requires_grad_()
    loss = SentimentLoss(MIKELS, mining=Mining.HARD)(embedding, torch.arange(16) % 8, _generator())
    loss.backward()
    assert embedding.grad is not None
    assert torch.isfinite(embedding.grad).all()


def test_hard_loss_does_not_depend_on_the_batch_order() -> None:
    embedding, labels = _batch(11)
    order = torch.randperm(len(labels), generator=_generator(4))
    loss = SentimentLoss(MIKELS, mining=Mining.HARD).double()
    assert loss(embedding, labels, _generator()).item() == pytest.approx(
        loss(embedding[order], labels[order], _generator()).item(), abs=1e-12
    )


def test_the_same_seed_gives_the_same_loss_and_another_seed_another() -> None:
    embedding, labels = _batch(2)
    loss = SentimentLoss(MIKELS).double()
    first, again, other = (loss(embedding, labels, _generator(seed)).item() for seed in (1, 1, 2))
    assert first == again
    assert first != other
