"""The adaptive sentiment similarity loss against its definition, by hand, and what it leaves alone."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from emotion.taxonomy import MIKELS
from training.losses.adaptive import AdaptiveSentimentLoss, confusion_weights
from training.losses.distances import squared_distances
from training.losses.mining import NONE, Mining, mine

POLARITY = torch.from_numpy(MIKELS.polarity_codes())
ALPHAS = (0.2, 0.1)


def _batch(seed: int, n: int = 32) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    embedding = F.normalize(torch.randn(n, 6, generator=generator, dtype=torch.float64), dim=1)
    logits = 2 * torch.randn(n, 8, generator=generator, dtype=torch.float64)
    return embedding, logits, torch.randint(0, 8, (n,), generator=generator)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _weight(logits: Tensor, labels: Tensor, i: int, j: int) -> float:
    probs = [[math.exp(v) / sum(map(math.exp, row)) for v in row] for row in logits.tolist()]
    return math.exp(probs[i][labels[j]]) * math.exp(probs[j][labels[i]])


@pytest.mark.parametrize("mining", list(Mining))
@pytest.mark.parametrize("seed", [1, 2])
def test_equals_the_definition_on_tuples_within_their_own_margins(mining: Mining, seed: int) -> None:
    embedding, logits, labels = _batch(seed)
    weights = confusion_weights(logits, labels)
    margins = (weights * ALPHAS[0], weights * ALPHAS[1])
    tuples = mine(squared_distances(embedding), labels, POLARITY[labels], margins, mining, _generator(seed))

    def distance(i: int, j: int) -> float:
        return float(((embedding[i] - embedding[j]) ** 2).sum())

    total = 0.0
    for a, p, r, n in zip(*(column.tolist() for column in tuples), strict=True):
        reach = _weight(logits, labels, a, r) * ALPHAS[0]
        assert mining is not Mining.SEMI_HARD or distance(a, p) < distance(a, r) < distance(a, p) + reach
        total += max(0.0, distance(a, p) - distance(a, r) + reach)
        if n != NONE:
            reach = _weight(logits, labels, a, n) * ALPHAS[1]
            assert mining is not Mining.SEMI_HARD or distance(a, r) < distance(a, n) < distance(a, r) + reach
            total += max(0.0, distance(a, r) - distance(a, n) + reach)
    loss = AdaptiveSentimentLoss(MIKELS, mining=mining)(embedding, logits, labels, _generator(seed))
    assert len(tuples.anchor) > 10
    assert loss.item() == pytest.approx(total / len(tuples.anchor), abs=1e-9)


def test_a_case_by_hand() -> None:
    """Awe at 0 and 60 degrees, contentment at 65, fear at 68, a head that knows nothing: w = e^(1/8 + 1/8) = 1.2840.

    D(0, 60) = 1; D(0, 65) = 1.1548; D(0, 68) = 1.2508. Anchor 0: [1 - 1.1548 + .2568]_+ + [1.1548 - 1.2508 + .1284]_+
    = .1020 + .0324. Anchor 60 has no related picture farther than its positive.
    """
    degrees = torch.tensor([0.0, 60.0, 65.0, 68.0], dtype=torch.float64) * math.pi / 180
    embedding = torch.stack([degrees.cos(), degrees.sin()], dim=1)
    labels = torch.tensor([MIKELS.index(name) for name in ("awe", "awe", "contentment", "fear")])
    loss = AdaptiveSentimentLoss(MIKELS)(embedding, torch.zeros(4, 8), labels, _generator())
    assert loss.item() == pytest.approx(0.1020 + 0.0324, abs=2e-4)


@pytest.mark.parametrize(("confidence", "weight"), [(0.0, math.exp(0.25)), (50.0, 1.0), (-50.0, math.exp(2 / 7))])
def test_a_head_that_is_sure_and_right_leaves_the_margin_alone(confidence: float, weight: float) -> None:
    """Sure and wrong: the other seven emotions share the probability."""
    labels = torch.tensor([0, 5])
    logits = confidence * F.one_hot(labels, 8).double()
    assert confusion_weights(logits, labels)[0, 1].item() == pytest.approx(weight)


def test_the_class_head_gets_no_gradient() -> None:
    embedding, logits, labels = _batch(4)
    logits.requires_grad_()
    loss = AdaptiveSentimentLoss(MIKELS)(embedding.requires_grad_(), logits, labels, _generator())
    loss.backward()
    assert loss.item() > 0
    assert logits.grad is None
