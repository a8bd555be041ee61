import math

import pytest
import torch

from emotion.network.net import Outputs
from emotion.taxonomy import MIKELS
from training.losses.multi_task import MultiTaskLoss
from training.losses.sentiment import SentimentLoss


@pytest.mark.parametrize("w", [0.0, 0.3, 1.0])
def test_the_total_weighs_both_parts(w: float) -> None:
    generator = torch.Generator().manual_seed(0)
    embedding = torch.nn.functional.normalize(torch.randn(32, 6, generator=generator), dim=1)
    outputs = Outputs(embedding, torch.zeros(32, 8))
    parts = MultiTaskLoss(SentimentLoss(MIKELS), w=w)(outputs, torch.arange(32) % 8, generator)
    assert parts.classification.item() == pytest.approx(math.log(8))
    assert parts.sentiment.item() > 0
    assert parts.total.item() == pytest.approx((1 - w) * math.log(8) + w * parts.sentiment.item())
