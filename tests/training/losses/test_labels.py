"""The losses on labels against their definitions written as loops, without the library that most of them are from."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from emotion.taxonomy import MIKELS
from training.losses.center import CenterLoss
from training.losses.labels import (
    EmotionAndPolarity,
    LabelLoss,
    multi_similarity,
    n_pair,
    proxy_anchor,
    sup_con,
)

N_CLASSES = 4


def _batch(seed: int, n: int = 16) -> tuple[Tensor, list[int]]:
    """Loose clusters; the last class has one member."""
    generator = torch.Generator().manual_seed(seed)
    labels = [0, 1, 2] * (n // 3) + [3] * (n % 3)
    centres = torch.randn(N_CLASSES, 6, generator=generator, dtype=torch.float64)
    noise = torch.randn(n, 6, generator=generator, dtype=torch.float64)
    return F.normalize(centres[labels] + noise, dim=1), labels


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _value(loss: LabelLoss, embedding: Tensor, labels: list[int]) -> float:
    value: float = loss.double()(embedding, torch.tensor(labels), _generator()).item()
    return value


def _cosines(rows: Tensor, others: Tensor) -> list[list[float]]:
    return [[float(a @ b / (a.norm() * b.norm())) for b in others] for a in rows]


def _log1p_sum_exp(values: list[float]) -> float:
    return math.log(1 + sum(map(math.exp, values)))


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_sup_con(temperature: float) -> None:
    embedding, labels = _batch(1)
    s, every = _cosines(embedding, embedding), range(len(labels))
    losses = []
    for a in every:
        positives = [p for p in every if p != a and labels[p] == labels[a]]
        whole = sum(math.exp(s[a][j] / temperature) for j in every if j != a)
        if positives:
            logs = [s[a][p] / temperature - math.log(whole) for p in positives]
            losses.append(-sum(logs) / len(positives))
    assert len(losses) == 15
    assert _value(sup_con(temperature), embedding, labels) == pytest.approx(sum(losses) / len(losses))


def test_proxy_anchor() -> None:
    embedding, labels = _batch(2)
    labels = [label % 3 for label in labels]  # the fourth proxy has no picture
    loss = proxy_anchor(N_CLASSES, 6, margin=0.1, alpha=8.0, generator=_generator())
    (proxies,) = (p.detach().double() for p in loss.parameters())
    s = _cosines(proxies, embedding)
    pull, push = [], []
    for c in range(N_CLASSES):
        own = [-8 * (s[c][i] - 0.1) for i, label in enumerate(labels) if label == c]
        rest = [8 * (s[c][i] + 0.1) for i, label in enumerate(labels) if label != c]
        pull += [_log1p_sum_exp(own)] if own else []
        push.append(_log1p_sum_exp(rest))
    assert len(pull) == 3
    assert _value(loss, embedding, labels) == pytest.approx(sum(pull) / 3 + sum(push) / N_CLASSES)


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 5.0])
def test_multi_similarity(epsilon: float) -> None:
    embedding, labels = _batch(3)
    s, every = _cosines(embedding, embedding), range(len(labels))
    total, n_dropped = 0.0, 0
    for a in every:
        positives = [s[a][j] for j in every if j != a and labels[j] == labels[a]]
        negatives = [s[a][j] for j in every if labels[j] != labels[a]]
        hard_p = [v for v in positives if v - epsilon < max(negatives)]
        hard_n = [v for v in negatives if positives and v + epsilon > min(positives)]
        if not positives:
            hard_n = []
        n_dropped += len(positives) - len(hard_p) + len(negatives) - len(hard_n)
        total += _log1p_sum_exp([-2 * (v - 0.5) for v in hard_p]) / 2 if hard_p else 0
        total += _log1p_sum_exp([10 * (v - 0.5) for v in hard_n]) / 10 if hard_n else 0
    assert n_dropped > (0 if epsilon < 5 else -1)
    loss = multi_similarity(alpha=2.0, beta=10.0, base=0.5, epsilon=epsilon)
    assert _value(loss, embedding, labels) == pytest.approx(total / len(labels))


def test_n_pair() -> None:
    """Two pictures of each label but the last, so that only who is the anchor is left to chance."""
    embedding, _ = _batch(4, n=7)
    labels = [0, 1, 2, 0, 1, 2, 3]
    s = _cosines(embedding, embedding)

    def softmax_loss(anchors: tuple[int, ...]) -> float:
        positives = [(a + 3) % 6 for a in anchors]
        terms = [
            math.log(sum(math.exp((s[a][q] - s[a][p]) / 0.1) for q in positives))
            for a, p in zip(anchors, positives, strict=True)
        ]
        return sum(terms) / 3

    possible = [softmax_loss((a, b, c)) for a in (0, 3) for b in (1, 4) for c in (2, 5)]
    loss = n_pair(0.1)
    seen = {round(loss(embedding, torch.tensor(labels), _generator(seed)).item(), 9) for seed in range(40)}
    assert seen <= {round(value, 9) for value in possible}
    assert len(seen) > 4
    again = [loss(embedding, torch.tensor(labels), _generator(7)).item() for _ in range(2)]
    assert again[0] == again[1]


def test_center_by_hand() -> None:
    """Distances 1, 2 and 0 to their centres: (1 + 4 + 0) / 3 / 2."""
    loss = CenterLoss(2, 2)
    assert loss(torch.eye(2), torch.tensor([0, 1])).item() == 0.5, "centres start at the origin"
    with torch.no_grad():
        loss.centers.copy_(torch.tensor([[1.0, 1.0], [-1.0, 0.0]]))
    embedding = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    assert loss(embedding, torch.tensor([0, 1, 1])).item() == pytest.approx(5 / 6)


def test_center_gradient_is_exact() -> None:
    embedding, labels = _batch(5)
    loss = CenterLoss(N_CLASSES, 6).double()
    start = torch.randn(N_CLASSES, 6, dtype=torch.float64, generator=_generator())

    def value(rows: Tensor, centers: Tensor) -> Tensor:
        found: Tensor = torch.func.functional_call(loss, {"centers": centers}, (rows, torch.tensor(labels)))
        return found

    assert torch.autograd.gradcheck(value, (embedding.requires_grad_(), start.requires_grad_()))


def test_polarity_adds_the_same_loss_on_two_classes() -> None:
    generator = _generator(6)
    embedding = F.normalize(torch.randn(24, 6, generator=generator), dim=1)
    labels = torch.arange(24) % 8
    side = torch.from_numpy(MIKELS.polarity_codes())[labels]
    whole = EmotionAndPolarity(lambda _: sup_con(0.1), MIKELS, 0.25)(embedding, labels, generator)
    parts = [sup_con(0.1)(embedding, of, generator).item() for of in (labels, side)]
    assert whole.item() == pytest.approx(parts[0] + 0.25 * parts[1])
    assert EmotionAndPolarity(lambda _: sup_con(0.1), MIKELS)(embedding, labels, generator).item() == parts[0]


def test_proxies_are_drawn_from_their_generator_alone() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    one, again, other = (proxy_anchor(8, 6, 0.1, 32.0, _generator(seed)).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one["loss.proxies"], again["loss.proxies"])
    assert not torch.equal(one["loss.proxies"], other["loss.proxies"])
