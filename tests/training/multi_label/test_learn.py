"""Layers on made-up features: what they learn, and that nothing but recipe and pictures decides it."""

import numpy as np
import pytest
import torch

from emotion.network.spec import FcEmbeddingSpec
from training.multi_label import learn as learning
from training.multi_label.learn import Layers, Recipe, apply, learn
from training.multi_label.method import Method

N_LABELS = 4


def made_up(seed: int, n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Features that hold the labels in a random rotation, under noise."""
    rng = np.random.default_rng(seed)
    labels = rng.random((n, N_LABELS)) < 0.4
    mixed = np.random.default_rng(99).standard_normal((N_LABELS, 24))
    features = labels @ mixed + 0.5 * rng.standard_normal((n, 24))
    return features.astype(np.float32), labels


def recipe(**changes: object) -> Recipe:
    return Recipe(**{"layers": FcEmbeddingSpec(dim=16, hidden=32), "batch_size": 64, "epochs": 30} | changes)


@pytest.mark.parametrize("method", list(Method))
def test_labels_are_learnt_and_named_on_other_pictures(method: Method) -> None:
    layers = learn(recipe(method=method), *made_up(0))
    features, labels = made_up(1)
    said = apply(layers, features)
    assert said.embeddings.shape == (300, 16)
    assert np.linalg.norm(said.embeddings, axis=1) == pytest.approx(np.ones(300), abs=1e-5)
    assert ((said.probs > 0.5) == labels).mean() > 0.9


def test_triplets_bring_those_together_that_share_labels() -> None:
    features, labels = made_up(1)
    share = labels.astype(float) @ labels.T

    def correlation(layers: Layers) -> float:
        cosines = (e := apply(layers, features).embeddings) @ e.T
        rows, columns = np.triu_indices(len(share), 1)
        return float(np.corrcoef(cosines[rows, columns], share[rows, columns])[0, 1])

    untrained = Layers(24, FcEmbeddingSpec(dim=16, hidden=32), N_LABELS).eval()
    assert correlation(learn(recipe(epochs=10), *made_up(0))) > correlation(untrained) + 0.1


def test_recipe_and_pictures_decide_everything() -> None:
    def weights(seed: int) -> list[np.ndarray]:
        return [p.detach().numpy() for p in learn(recipe(seed=seed, epochs=2), *made_up(0)).parameters()]

    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = weights(0)
    assert torch.equal(before, torch.get_rng_state())
    torch.rand(3)
    for one, two, other in zip(first, weights(0), weights(1), strict=True):
        assert np.array_equal(one, two)
        assert not np.array_equal(one, other)


def test_the_classifier_leaves_the_embedding_of_the_triplets_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedding is what it is when the classifier has nothing to learn from."""
    learnt = learn(recipe(epochs=2), *made_up(0))
    monkeypatch.setattr(learning, "_bce", lambda logits, _: logits.sum() * 0)
    without = learn(recipe(epochs=2), *made_up(0))
    for one, two in zip(learnt.fc.parameters(), without.fc.parameters(), strict=True):
        assert torch.equal(one, two)
    assert not torch.equal(learnt.head.weight, without.head.weight)


def test_the_late_rate_is_for_the_late_epochs() -> None:
    """With a late rate of almost nothing, epochs after the first late one change nothing."""
    ways = [recipe(method=Method.BCE, epochs=n, late_epoch=2, late_lr=1e-30) for n in (2, 6)]
    few, many = (learn(way, *made_up(0)).fc.last.weight for way in ways)
    assert torch.allclose(few, many, atol=1e-6)
    early = learn(recipe(method=Method.BCE, epochs=6, late_epoch=9), *made_up(0)).fc.last.weight
    assert not torch.allclose(few, early, atol=1e-3)
