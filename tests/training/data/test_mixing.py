"""Mixing against its definition; most of it with an alpha so large that the share is a half."""

import numpy as np
import pytest
import torch

from training.data.mixing import mix

HALF = 1e12
"""Beta(HALF, HALF) is 0.5."""


def _batch(b: int = 6, side: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(b, 3, side, side, generator=torch.Generator().manual_seed(b)), torch.arange(b) % 4


def _rng(seed: int = 3) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_mixup_is_the_weighted_sum_of_two_pictures_and_of_their_labels() -> None:
    pixels, labels = _batch()
    before = pixels.clone()
    mixed = mix(pixels, labels, 5, _rng(), mixup=HALF)
    partner = _rng().permutation(6)
    for i in range(6):
        expected = (pixels[i].numpy() + pixels[partner[i]].numpy()) / 2
        assert mixed.pixels[i].numpy() == pytest.approx(expected, abs=1e-5)
        target = np.zeros(5)
        target[labels[i]] += 0.5
        target[labels[partner[i]]] += 0.5
        assert mixed.targets[i].numpy() == pytest.approx(target, abs=1e-5)
    assert torch.equal(pixels, before)


@pytest.mark.parametrize("seed", range(8))
def test_cutmix_pastes_a_box_and_counts_its_area(seed: int) -> None:
    pixels, labels = _batch(side=12)
    mixed = mix(pixels, labels, 5, _rng(seed), cutmix=1.0)
    partner = _rng(seed).permutation(6)
    kept = torch.eq(mixed.pixels, pixels)
    assert torch.equal(mixed.pixels, torch.where(kept, pixels, pixels[partner]))
    i = next(i for i in range(6) if partner[i] != i and labels[partner[i]] != labels[i])
    pasted = ~kept[i, 0].numpy()
    rows, columns = np.flatnonzero(pasted.any(axis=1)), np.flatnonzero(pasted.any(axis=0))
    assert pasted.sum() == len(rows) * len(columns), "a box"
    assert mixed.targets[i, labels[i]].item() == pytest.approx(1 - pasted.sum() / 144, abs=1e-6)
    assert mixed.targets.sum(dim=1).tolist() == pytest.approx([1] * 6, abs=1e-6)


def test_the_same_generator_mixes_the_same_and_another_another() -> None:
    pixels, labels = _batch()
    one, again, other = (mix(pixels, labels, 4, _rng(seed), mixup=0.4, cutmix=1.0) for seed in (1, 1, 2))
    assert torch.equal(one.pixels, again.pixels)
    assert torch.equal(one.targets, again.targets)
    assert not torch.equal(one.pixels, other.pixels)


def test_both_methods_occur_where_both_are_asked_for() -> None:
    pixels, labels = _batch()
    n_pasted = 0
    for seed in range(20):
        mixed = mix(pixels, labels, 4, _rng(seed), mixup=HALF, cutmix=HALF)
        changed = ~torch.isclose(mixed.pixels, pixels).flatten(1).all(dim=1)  # else a picture is its own partner
        n_pasted += bool((mixed.pixels == pixels)[changed].any())
    assert 4 < n_pasted < 16


def test_partners_come_from_the_whole_batch_and_not_from_the_next_place() -> None:
    """In a balanced batch the next picture mostly has the same emotion."""
    pixels, labels = torch.zeros(64, 3, 2, 2), torch.arange(64) // 8
    targets = mix(pixels, labels, 8, _rng(), mixup=HALF).targets
    assert (targets.max(dim=1).values < 1).float().mean() > 0.7


def test_no_alpha_is_refused() -> None:
    with pytest.raises(ValueError, match="alpha above 0"):
        mix(*_batch(), 4, _rng())
