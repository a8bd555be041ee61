"""The sentiment vector against its definition written slowly."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from emotion.network.sentiment_vector import SentimentVector, gram
from emotion.network.spec import Activation, LevelNorm, Projection, SentimentVectorSpec

CHANNELS = (3, 4, 5, 6, 7)


def _levels(seed: int = 0, b: int = 2) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(b, c, 8 - i, 9 - i, generator=generator) for i, c in enumerate(CHANNELS)]


def _by_definition(
    module: SentimentVector,
    levels: list[torch.Tensor],
    picture: int,
    relu: bool,
    weights: tuple[float, ...] = (1,) * 5,
    per_level: bool = True,
) -> np.ndarray:
    parts = []
    for conv, level, level_weight in zip(module.reduce, levels, weights, strict=True):
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
        parts.append(level_weight * np.array(values) / (np.linalg.norm(values) if per_level else 1))
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


@pytest.mark.parametrize("weights", [(1.0,) * 5, (0.0, 0.0, 0.5, 2.0, 1.0)])
@pytest.mark.parametrize("norm", list(LevelNorm))
def test_weights_and_norm_equal_the_definition(weights: tuple[float, ...], norm: LevelNorm) -> None:
    torch.manual_seed(1)
    module = SentimentVector(CHANNELS, SentimentVectorSpec(level_weights=weights, norm=norm))
    levels = _levels()
    vectors = module(levels).detach().numpy()
    assert vectors.shape == (2, 680)
    expected = _by_definition(module, levels, 1, True, weights, per_level=norm is LevelNorm.LEVEL)
    assert vectors[1] == pytest.approx(expected, abs=1e-6)


def test_weights_of_one_are_no_weights() -> None:
    plain, weighted = (SentimentVector(CHANNELS, SentimentVectorSpec(level_weights=w)) for w in ((), (1.0,) * 5))
    weighted.load_state_dict(plain.state_dict())
    assert torch.equal(plain(_levels()), weighted(_levels()))


def test_a_level_of_weight_0_neither_counts_nor_learns() -> None:
    module = SentimentVector(CHANNELS, SentimentVectorSpec(level_weights=(0, 1, 1, 1, 1)))
    changed = [_levels(seed=7)[0], *_levels()[1:]]
    vectors = module(changed)
    assert torch.equal(vectors, module(_levels()))
    vectors[0, 200].backward()
    assert not module.reduce[0].weight.grad.any()
    assert module.reduce[1].weight.grad.any()


def test_the_projection_starts_as_the_identity_and_is_a_matrix_before_the_last_norm() -> None:
    torch.manual_seed(4)
    plain = SentimentVector(CHANNELS, SentimentVectorSpec())
    module = SentimentVector(CHANNELS, SentimentVectorSpec(projection=Projection.LINEAR))
    module.load_state_dict(plain.state_dict(), strict=False)
    before = plain(_levels()).detach()
    assert module(_levels()).detach().numpy() == pytest.approx(before.numpy(), abs=1e-6)
    matrix = torch.randn(680, 680)
    module.project.weight.data = matrix
    expected = before.double().numpy() @ matrix.double().numpy().T
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert module(_levels()).detach().numpy() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.0,) * 5, (1, 1, 1, 1, -1), (1, 1, 1, 1, float("nan"))])
def test_wrong_weights_are_refused(weights: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError, match="level_weights"):
        SentimentVectorSpec(level_weights=weights)


def test_every_level_weighs_the_same_and_the_whole_has_unit_norm() -> None:
    torch.manual_seed(2)
    vectors = SentimentVector(CHANNELS, SentimentVectorSpec())([1000 * _levels()[0], *_levels()[1:]])
    assert vectors.norm(dim=1).tolist() == pytest.approx([1, 1], abs=1e-6)
    assert vectors.reshape(2, 5, 136).norm(dim=2).flatten().tolist() == pytest.approx([5**-0.5] * 10, abs=1e-6)


def test_gram_by_hand() -> None:
    maps = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]])
    assert gram(maps)[0].tolist() == [[2.5, 5.5], [5.5, 12.5]]


def test_gradient_of_gram_is_that_of_the_definition() -> None:
    maps = torch.randn(2, 3, 4, 5, dtype=torch.float32, requires_grad=True)
    weights = torch.randn(2, 3, 3)  # not symmetric, as the lower triangle is not
    found = torch.autograd.grad((gram(maps) * weights).sum(), maps)[0]
    flat = maps.flatten(2)
    expected = torch.autograd.grad(((flat @ flat.mT / 20) * weights).sum(), maps)[0]
    torch.testing.assert_close(found, expected)


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
