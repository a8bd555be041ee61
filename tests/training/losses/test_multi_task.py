import math

import pytest
import torch

from emotion.network.net import Outputs
from emotion.taxonomy import MIKELS
from training.losses.multi_task import MixedLogits, MultiTaskLoss
from training.losses.sentiment import SentimentLoss


@pytest.mark.parametrize("w", [0.0, 0.3, 1.0])
def test_the_total_weighs_both_parts(w: float) -> None:
    generator = torch.Generator().manual_seed(0)
    embedding = torch.nn.functional.normalize(torch.randn(32, 6, generator=generator), dim=1)
    outputs = Outputs(embedding, torch.zeros(32, 8))
    parts = MultiTaskLoss(SentimentLoss(MIKELS), w=w)(outputs, torch.arange(32) % 8, generator)
    assert parts.classification.item() == pytest.approx(math.log(8))
    assert parts.embedding.item() > 0
    assert parts.total.item() == pytest.approx((1 - w) * math.log(8) + w * parts.embedding.item())


def test_mixed_pictures_are_the_class_heads_and_leave_the_embedding_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    outputs = Outputs(
        torch.nn.functional.normalize(torch.randn(32, 6, generator=generator), dim=1),
        torch.randn(32, 8, generator=generator),
    )
    labels = torch.arange(32) % 8
    loss = MultiTaskLoss(SentimentLoss(MIKELS), w=0.25, label_smoothing=0.1)
    targets = torch.softmax(torch.randn(16, 8, generator=generator), dim=1)
    logits = torch.randn(16, 8, generator=generator)
    plain = loss(outputs, labels, torch.Generator().manual_seed(1))
    mixed = loss(outputs, labels, torch.Generator().manual_seed(1), MixedLogits(logits, targets))
    log_p = logits - logits.exp().sum(dim=1, keepdim=True).log()
    by_definition = -((0.9 * targets + 0.1 / 8) * log_p).sum(dim=1).mean()
    assert mixed.embedding.item() == plain.embedding.item()
    assert mixed.classification.item() == pytest.approx(by_definition.item(), rel=1e-5)
    assert mixed.total.item() == pytest.approx(0.75 * by_definition.item() + 0.25 * plain.embedding.item(), rel=1e-5)
    hard = torch.nn.functional.one_hot(labels, 8).float()
    same = loss(outputs, labels, torch.Generator().manual_seed(1), MixedLogits(outputs.logits, hard))
    assert same.total.item() == pytest.approx(plain.total.item(), rel=1e-6)
