"""Smooth hierarchical average precision against its definition, a case by hand, and the AP of the evaluation."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from emotion.taxonomy import MIKELS, Emotion, Polarity, Taxonomy
from training.evaluation.retrieval import rank, retrieval_metrics
from training.losses.hierarchical_ap import CHUNK_VALUES, HierarchicalAPLoss, _SmoothPrecision, relevance_grades

POLARITY = MIKELS.polarity_codes().tolist()
NEIGHBOURS = {("amusement", "contentment"), ("contentment", "awe"), ("awe", "excitement")} | {
    ("fear", "sadness"),
    ("sadness", "disgust"),
    ("disgust", "anger"),
}
"""On the wheel, of one polarity: the borders excitement-fear and anger-amusement are not among them."""


def _batch(seed: int, n: int = 14) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    embedding = F.normalize(torch.randn(n, 6, generator=generator, dtype=torch.float64), dim=1)
    return embedding, torch.randint(0, 8, (n,), generator=generator)


def _loss_by_definition(
    embedding: Tensor,
    labels: list[int],
    temperature: float,
    polarity_relevance: float,
    neighbour_relevance: float = 0.5,
) -> float:
    every = range(len(labels))
    cosine = [[float(embedding[i] @ embedding[j]) for j in every] for i in every]

    def rel(q: int, k: int) -> float:
        if labels[q] == labels[k]:
            return 1.0
        one, other = MIKELS.names[labels[q]], MIKELS.names[labels[k]]
        if (one, other) in NEIGHBOURS or (other, one) in NEIGHBOURS:
            return neighbour_relevance
        return polarity_relevance if POLARITY[labels[q]] == POLARITY[labels[k]] else 0.0

    def before(q: int, k: int, j: int) -> float:
        return 1 / (1 + math.exp(-(cosine[q][j] - cosine[q][k]) / temperature))

    precisions = []
    for q in every:
        relevant = [k for k in every if k != q and rel(q, k) > 0]
        total = 0.0
        for k in relevant:
            others = [j for j in every if j not in (q, k)]
            rank_k = 1 + sum(before(q, k, j) for j in others)
            h_rank = rel(q, k) + sum(min(rel(q, k), rel(q, j)) * before(q, k, j) for j in others)
            total += h_rank / rank_k
        if relevant:
            precisions.append(total / sum(rel(q, k) for k in relevant))
    return 1 - sum(precisions) / len(precisions)


@pytest.mark.parametrize(
    ("polarity_relevance", "neighbour_relevance"),
    [(0.0, 0.0), (0.0, 0.5), (0.25, 0.25), (0.25, 0.5), (0.1, 0.9), (1.0, 1.0)],
)
@pytest.mark.parametrize("temperature", [0.01, 0.2])
@pytest.mark.parametrize("seed", [1, 2])
def test_equals_the_definition(
    seed: int, temperature: float, polarity_relevance: float, neighbour_relevance: float
) -> None:
    embedding, labels = _batch(seed)
    loss = HierarchicalAPLoss(
        MIKELS,
        temperature=temperature,
        neighbour_relevance=neighbour_relevance,
        polarity_relevance=polarity_relevance,
    )
    expected = _loss_by_definition(embedding, labels.tolist(), temperature, polarity_relevance, neighbour_relevance)
    assert loss(embedding, labels).item() == pytest.approx(expected, abs=1e-9)


def test_a_batch_too_large_for_one_chunk_equals_the_definition() -> None:
    embedding, labels = _batch(3, n=84)
    assert len(labels) ** 3 > CHUNK_VALUES
    value = HierarchicalAPLoss(MIKELS, temperature=0.1)(embedding, labels).item()
    assert value == pytest.approx(_loss_by_definition(embedding, labels.tolist(), 0.1, 0.25), abs=1e-9)


def test_a_case_by_hand() -> None:
    """Awe at 0 and 30 degrees, amusement at 10, fear at 90; a temperature at which ranks are ranks.

    Either awe finds amusement first: (.25 / 1 + (1 + .25) / 2) / 1.25 = .7. Amusement finds both awes first:
    (.25 / 1 + .5 / 2) / .5 = 1. Fear has nothing to find. 1 - (.7 + .7 + 1) / 3 = .2.
    """
    degrees = torch.tensor([0.0, 30.0, 10.0, 90.0], dtype=torch.float64) * math.pi / 180
    embedding = torch.stack([degrees.cos(), degrees.sin()], dim=1)
    labels = torch.tensor([MIKELS.index(name) for name in ("awe", "awe", "amusement", "fear")])
    loss = HierarchicalAPLoss(MIKELS, temperature=1e-4, polarity_relevance=0.25)
    assert loss(embedding, labels).item() == pytest.approx(0.2, abs=1e-9)


def test_a_neighbour_on_the_wheel_counts_between_the_emotion_and_its_polarity() -> None:
    """By hand: awe at 0 looks for contentment (its neighbour) at 10 and amusement at 20 degrees, then the other way.

    In order: (.5 / 1 + (.25 + .25) / 2) / .75 = 1. The other way: (.25 / 1 + (.5 + .25) / 2) / .75 = .8333.
    """
    degrees = torch.tensor([0.0, 10.0, 20.0], dtype=torch.float64) * math.pi / 180
    score = torch.stack([degrees.cos(), degrees.sin()], dim=1)
    score = score @ score.T / 1e-5
    loss, found = HierarchicalAPLoss(MIKELS), []
    for names in (("awe", "contentment", "amusement"), ("awe", "amusement", "contentment")):
        relevance = loss.relevance(torch.tensor([MIKELS.index(name) for name in names]))
        found.append(_SmoothPrecision.apply(score, relevance, torch.tensor([0])).item())
    assert found == pytest.approx([1.0, 0.8333], abs=1e-4)


def test_grades_are_those_of_the_wheel_within_a_polarity() -> None:
    grades = relevance_grades(MIKELS, 0.5, 0.25)
    by_name = dict(zip(MIKELS.names, grades[MIKELS.index("excitement")], strict=True))
    zeros = dict.fromkeys(("anger", "disgust", "fear", "sadness"), 0.0)
    assert by_name == zeros | {"amusement": 0.25, "awe": 0.5, "contentment": 0.25, "excitement": 1.0}
    assert np.array_equal(grades, grades.T)
    without_wheel = relevance_grades(MIKELS.model_copy(update={"wheel": None}), 0.5, 0.25)
    assert set(without_wheel.ravel()) == {0.0, 0.25, 1.0}


def test_cold_and_without_grades_it_is_the_mean_ap_of_the_evaluation() -> None:
    embedding, labels = _batch(5, n=40)
    truth, rows = labels.numpy(), embedding.float().numpy()
    relevant = truth[rank(rows, rows, np.arange(40))] == truth[:, None]
    loss = HierarchicalAPLoss(MIKELS, temperature=1e-7, neighbour_relevance=0.0, polarity_relevance=0.0)
    assert 1 - loss(embedding, labels).item() == pytest.approx(retrieval_metrics(relevant).mean_ap, abs=1e-6)


def test_a_perfect_order_costs_nothing_and_a_random_one_much() -> None:
    """Each emotion at one place, those of a polarity 25 degrees apart in the wheel's order, the opposite far."""
    labels = torch.arange(8).repeat(3)
    assert MIKELS.wheel is not None
    places = torch.tensor([MIKELS.wheel.index(name) for name in MIKELS.names])[labels]
    radians = (25.0 * (places % 4) + 180.0 * (places // 4)).double() * math.pi / 180
    embedding = torch.stack([radians.cos(), radians.sin()], dim=1)
    loss = HierarchicalAPLoss(MIKELS)
    assert loss(embedding, labels).item() < 0.01
    order = torch.randperm(24, generator=torch.Generator().manual_seed(0))
    assert loss(embedding, labels[order]).item() > 0.4


def test_an_emotion_without_a_side_is_related_to_none() -> None:
    sides = {"joy": Polarity.POSITIVE, "calm": Polarity.POSITIVE, "surprise": None, "neutral": None}
    emotions = tuple(Emotion(name=name, polarity=side) for name, side in sides.items())
    taxonomy = Taxonomy(name="four", emotions=emotions)
    relevance = HierarchicalAPLoss(taxonomy, polarity_relevance=0.5).relevance(torch.tensor([0, 1, 2, 3, 2]))
    assert relevance.tolist() == [
        [0.0, 0.5, 0.0, 0.0, 0.0],
        [0.5, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0, 1.0],
        [0.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 1.0, 0.0, 0.0],
    ]
