"""The triplet loss by likeness of labels against its definition in loops, a case by hand, and what is mined."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from training.losses.distances import squared_distances
from training.losses.multi_label import Chances, MultiLabelTripletLoss, draw, mine_by_likeness


def _batch(seed: int, n: int = 24, c: int = 6) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    embedding = F.normalize(torch.randn(n, 6, generator=generator, dtype=torch.float64), dim=1)
    return embedding, (torch.rand(n, c, generator=generator) < 0.4).double()


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _triplets_by_definition(
    embedding: Tensor, labels: Tensor, margin: float, shared: int, chances: Chances
) -> list[tuple[int, int, int]]:
    """The rules of the docstring, one anchor at a time."""
    n = len(labels)
    distance = [[float(((embedding[i] - embedding[j]) ** 2).sum()) for j in range(n)] for i in range(n)]
    alike = [[int((labels[i] * labels[j]).sum()) for j in range(n)] for i in range(n)]
    found = []
    for a in range(n):
        enough = min(shared, alike[a][a])
        positives = [j for j in range(n) if j != a and alike[a][j] >= enough] if enough else []
        if not positives:
            continue
        p = max(positives, key=lambda j: float(chances.positive[a, j]))
        unlike = [j for j in range(n) if j != a and alike[a][j] < alike[a][p]]
        if not unlike:
            continue
        near = [j for j in unlike if distance[a][j] < distance[a][p] + margin]
        near = [j for j in near if alike[a][j] > 1] or near
        near = [j for j in near if distance[a][j] > distance[a][p]] or near
        fewest = min(alike[a][j] for j in unlike)
        easy = max((j for j in unlike if alike[a][j] == fewest), key=lambda j: float(chances.easy[a, j]))
        found.append((a, p, max({*near, easy}, key=lambda j: float(chances.negative[a, j]))))
    return found


@pytest.mark.parametrize("shared", [1, 2, 3])
@pytest.mark.parametrize("margin", [0.1, 1.0, 2.0])
@pytest.mark.parametrize("seed", range(4))
def test_equals_the_definition(seed: int, margin: float, shared: int) -> None:
    embedding, labels = _batch(seed)
    triplets = _triplets_by_definition(embedding, labels, margin, shared, draw(len(labels), _generator(seed)))
    losses = [
        max(
            0.0, float(((embedding[a] - embedding[p]) ** 2).sum() - ((embedding[a] - embedding[n]) ** 2).sum()) + margin
        )
        for a, p, n in triplets
    ]
    assert len(losses) > 10
    loss = MultiLabelTripletLoss(margin=margin, shared=shared)(embedding, labels, _generator(seed))
    assert loss.item() == pytest.approx(sum(losses) / len(losses), abs=1e-9)


def test_a_case_by_hand() -> None:
    """The anchor has labels 0, 1, 2 and stands at 0 degrees; of the others it shares 3, 2 and 0.

    At 60 degrees D = 1, at 90 D = 2. The positive of the anchor shares 3, at 60; the negative that shares 2 is at 90
    and within the margin; the easy one, at 180, has the smaller chance. So [1 - 2 + 2]_+ = 1 for the anchor.
    """
    degrees = torch.tensor([0.0, 60.0, 90.0, 180.0], dtype=torch.float64) * math.pi / 180
    embedding = torch.stack([degrees.cos(), degrees.sin()], dim=1)
    labels = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1]], dtype=torch.float64)
    chances = Chances(*torch.arange(4, 0, -1, dtype=torch.float64).expand(3, 4, 4))
    distances = squared_distances(embedding)
    found = mine_by_likeness(distances, labels, 2.0, 3, chances)
    assert list(zip(*(column.tolist() for column in found), strict=True)) == [(0, 1, 2), (1, 0, 2), (2, 0, 3)]
    # The third has two labels, which both others share; for it the fourth alone shares fewer: [2 - 2 + 2]_+ = 2.
    # The second: D(1, 0) = 1 and D(1, 2) = 2 - sqrt(3), so [1 - .2679 + 2]_+ = 2.7321.
    with_margin = (distances[found.anchor, found.positive] - distances[found.anchor, found.negative] + 2).relu()
    assert with_margin.tolist() == pytest.approx([1, 2.7321, 2], abs=1e-4)


def test_the_order_of_the_batch_does_not_matter() -> None:
    embedding, labels = _batch(5)
    chances = draw(len(labels), _generator())
    turned = torch.randperm(len(labels), generator=_generator(1))
    given = mine_by_likeness(squared_distances(embedding), labels, 1.0, 2, chances)
    moved = Chances(*(chance[turned][:, turned] for chance in chances))
    again = mine_by_likeness(squared_distances(embedding[turned]), labels[turned], 1.0, 2, moved)
    back = {tuple(int(turned[row]) for row in triplet) for triplet in zip(*again, strict=True)}
    assert back == {tuple(map(int, triplet)) for triplet in zip(*given, strict=True)}


def test_the_same_seed_gives_the_same_loss_and_another_does_not() -> None:
    embedding, labels = _batch(6)
    loss = MultiLabelTripletLoss()
    values = [loss(embedding, labels, _generator(seed)).item() for seed in (0, 0, 1)]
    assert values[0] == values[1] != values[2]


@pytest.mark.parametrize(
    "labels",
    [torch.zeros(4, 3), torch.ones(4, 3), torch.eye(4), torch.ones(1, 3)],
    ids=["none has a label", "all are alike", "none shares one", "one picture"],
)
def test_without_a_triplet_it_is_zero_with_a_gradient(labels: Tensor) -> None:
    embedding = _batch(7, len(labels))[0].requires_grad_()
    loss = MultiLabelTripletLoss()(embedding, labels.double(), _generator())
    loss.backward()
    assert loss.item() == 0
    assert embedding.grad is not None
    assert embedding.grad.abs().sum() == 0


def test_the_gradient_is_right() -> None:
    embedding, labels = _batch(8, 10)
    raw = embedding.clone().requires_grad_()

    def value(raw: Tensor) -> Tensor:
        loss: Tensor = MultiLabelTripletLoss()(F.normalize(raw, dim=1), labels, _generator())
        return loss

    assert torch.autograd.gradcheck(value, (raw,))


@pytest.mark.parametrize("kind", ["one point", "float32", "far from unit"])
def test_the_backward_pass_is_finite(kind: str) -> None:
    embedding, labels = _batch(9)
    raw = {
        "one point": torch.ones(len(labels), 6, dtype=torch.float64),
        "float32": embedding.float(),
        "far from unit": 1e6 * embedding,
    }[kind].requires_grad_()
    MultiLabelTripletLoss()(F.normalize(raw, dim=1), labels.to(raw.dtype), _generator()).backward()
    assert raw.grad is not None
    assert raw.grad.isfinite().all()


def test_every_fit_positive_is_as_likely() -> None:
    labels = torch.tensor([[1.0, 1]] * 4 + [[0, 1]])
    embedding = F.normalize(torch.arange(1.0, 11).reshape(5, 2), dim=1)
    generator, distances = _generator(), squared_distances(embedding)
    chosen = [int(mine_by_likeness(distances, labels, 1.0, 2, draw(5, generator)).positive[0]) for _ in range(600)]
    assert [chosen.count(row) / 600 for row in (1, 2, 3)] == pytest.approx([1 / 3] * 3, abs=0.06)
