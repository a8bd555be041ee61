"""The sentiment vector against its definition written slowly."""

import numpy as np
import pytest
import torch

from emotion.network.sentiment_vector import SentimentVector, gram
from emotion.network.spec import Activation, SentimentVectorSpec

CHANNELS = (3, 4, 5, 6, 7)


def _levels(seed: int = 0, b: int = 2) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(b, c, 8 - i, 9 - i, generator=generator) for i, c in enumerate(CHANNELS)]


def _by_definition(module: SentimentVector, levels: list[torch.Tensor], picture: int, relu: bool) -> np.ndarray:
    parts = []
    for conv, level in zip(module.reduce, levels, strict=True):
        weight = conv.weight.detach().numpy()[:, :, 0, 0]
        positions = level[picture].numpy().reshape(level.shape[1], -1)
        filtered = weight @ positions + conv.bias.detach().numpy()[:, None]
        if relu:
            filtered = np.maximum(filtered, 0)
        values = [
            sum(filtered[i, m] * filtered[j, m] for m in range(filtered.shape[1])) / filtered.shape[1]
            for i in range(16)
            for j in range(i + 1)
        ]
        parts.append(np.array(values) / np.linalg.norm(values))
    whole = np.concatenate(parts)
    return whole / np.linalg.norm(whole)


@pytest.mark.parametrize("activation", list(Activation))
def test_equals_the_definition(activation: Activation) -> None:
    torch.manual_seed(1)
    module = SentimentVector(CHANNELS, SentimentVectorSpec(activation=activation))
    levels = _levels()
    vectors = module(levels).detach().numpy()
    assert vectors.shape == (2, 680)
    for picture in range(2):
        expected = _by_definition(module, levels, picture, activation is Activation.RELU)
        assert vectors[picture] == pytest.approx(expected, abs=1e-6)


def test_every_level_weighs_the_same_and_the_whole_has_unit_norm() -> None:
    torch.manual_seed(2)
    vectors = SentimentVector(CHANNELS, SentimentVectorSpec())([1000 * _levels()[0], *_levels()[1:]])
    assert vectors.norm(dim=1).tolist() == pytest.approx([1, 1], abs=1e-6)
    assert vectors.reshape(2, 5, 136).norm(dim=2).flatten().tolist() == pytest.approx([5**-0.5] * 10, abs=1e-6)


def test_gram_by_hand() -> None:
    maps = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]])
    assert gram(maps)[0].tolist() == [[2.5, 5.5], [5.5, 12.5]]


def test_gram_stays_in_float32_under_autocast() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert gram(torch.randn(1, 4, 3, 3).bfloat16()).dtype == torch.float32


def test_a_dead_level_gives_zeros_and_a_finite_gradient() -> None:
    module = SentimentVector(CHANNELS, SentimentVectorSpec())
    torch.nn.init.constant_(module.reduce[0].bias, -1e4)
    vectors = module(_levels())
    vectors.sum().backward()
    assert (vectors[:, :136] == 0).all()
    assert all(torch.isfinite(p.grad).all() for p in module.parameters() if p.grad is not None)


def test_signed_square_root_is_scale_free_within_a_level() -> None:
    torch.manual_seed(3)
    module = SentimentVector(CHANNELS, SentimentVectorSpec(activation=Activation.NONE, signed_sqrt=True))
    vectors = module(_levels())
    assert vectors.norm(dim=1).tolist() == pytest.approx([1, 1], abs=1e-5)
    assert (vectors < 0).any()


def test_the_number_of_levels_must_fit() -> None:
    with pytest.raises(ValueError, match="5 levels expected, the backbone gives 2"):
        SentimentVector((3, 4), SentimentVectorSpec())
