"""What every loss on the embedding owes the training loop, whichever the configuration names."""

import re

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from conftest import ROOT
from emotion.network.net import Outputs
from emotion.taxonomy import MIKELS
from emotion.torch_runtime import cuda_is_available
from training.config_file import load_config
from training.loss_settings import EmbeddingLoss, LossConfig
from training.losses.build import build_loss
from training.losses.multi_task import MultiTaskLoss

DIM = 6
CASES = {
    "sentiment": LossConfig(mining="hard"),
    "adaptive": LossConfig(embedding="adaptive", mining="hard"),
    "triplet": LossConfig(embedding="triplet", mining="hard"),
    "hierarchical_ap": LossConfig(embedding="hierarchical_ap", hierarchical_ap={"temperature": 0.1}),
    "center": LossConfig(embedding="center", polarity_weight=0.5),
    "n_pair": LossConfig(embedding="n_pair", polarity_weight=0.5),
    "proxy_anchor": LossConfig(embedding="proxy_anchor", polarity_weight=0.5),
    "multi_similarity": LossConfig(embedding="multi_similarity", polarity_weight=0.5),
    "sup_con": LossConfig(embedding="sup_con", polarity_weight=0.5),
    "none": LossConfig(embedding="none"),
}
"""Chance only where it cannot be taken out."""
OURS = ("sentiment", "adaptive", "triplet", "hierarchical_ap", "center")
IN_TUPLES = [name for name in CASES if name not in ("center", "proxy_anchor")]
"""Centres and proxies need no second picture."""


def _build(name: str) -> MultiTaskLoss:
    return build_loss(CASES[name], MIKELS, DIM, seed=0)


def _value(loss: MultiTaskLoss, embedding: Tensor, labels: Tensor, seed: int = 0) -> Tensor:
    logits = torch.linspace(-1, 1, len(labels) * 8).reshape(len(labels), 8).sin().to(embedding)
    return loss.on_embedding(embedding, logits, labels, torch.Generator().manual_seed(seed))


def _batch(seed: int, n: int = 24) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    embedding = F.normalize(torch.randn(n, DIM, generator=generator, dtype=torch.float64), dim=1)
    return embedding, torch.randint(0, 8, (n,), generator=generator)


def test_every_loss_is_a_case() -> None:
    assert set(CASES) == {str(loss) for loss in EmbeddingLoss}


@pytest.mark.parametrize("name", OURS)
def test_gradient_is_exact(name: str) -> None:
    embedding, labels = _batch(5, n=16)
    loss = _build(name).double()
    assert _value(loss, embedding, labels).item() > 0
    assert torch.autograd.gradcheck(lambda e: _value(loss, e, labels), embedding.requires_grad_())


@pytest.mark.parametrize("name", IN_TUPLES)
@pytest.mark.parametrize("names", [("awe", "fear"), ("awe",)], ids=str)
def test_nothing_to_compare_gives_zero_with_a_gradient(name: str, names: tuple[str, ...]) -> None:
    embedding = F.normalize(torch.randn(len(names), DIM, generator=torch.Generator().manual_seed(0)), dim=1)
    embedding.requires_grad_()
    loss = _value(_build(name), embedding, torch.tensor([MIKELS.index(n) for n in names]))
    loss.backward()
    assert loss.item() == 0
    assert embedding.grad is not None
    assert (embedding.grad == 0).all()


@pytest.mark.parametrize("name", [name for name in CASES if name != "n_pair"])
def test_the_batch_order_does_not_matter(name: str) -> None:
    embedding, labels = _batch(11)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(4))
    loss = _build(name).double()
    logits = torch.randn(24, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    one, other = (
        loss.on_embedding(embedding[rows], logits[rows], labels[rows], torch.Generator()).item()
        for rows in (torch.arange(24), order)
    )
    assert one == pytest.approx(other, abs=1e-9)


@pytest.mark.parametrize("mining", ["random", "semi_hard"])
@pytest.mark.parametrize("name", ["adaptive", "triplet"])
def test_the_same_seed_gives_the_same_loss_and_another_seed_another(name: str, mining: str) -> None:
    embedding, labels = _batch(2, n=48)
    loss = build_loss(LossConfig(embedding=name, mining=mining), MIKELS, DIM, seed=0)
    first, again, other = (_value(loss, embedding, labels, seed).item() for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    ("embedding", "labels"),
    [
        (_batch(1)[0], torch.arange(24).clamp_max(8) % 8),
        (_batch(1)[0], torch.zeros(24, dtype=torch.int64)),
        (torch.ones(24, DIM) / DIM**0.5, torch.arange(24) % 8),
    ],
    ids=["emotions with one picture", "one emotion", "one place"],
)
def test_value_and_gradients_are_finite(name: str, embedding: Tensor, labels: Tensor) -> None:
    loss = _build(name)
    rows = embedding.float().requires_grad_()
    outputs = Outputs(rows, torch.zeros(24, 8))
    total = loss(outputs, labels, torch.Generator().manual_seed(0)).total
    total.backward()
    assert torch.isfinite(total)
    assert rows.grad is not None
    for gradient in (rows.grad, *(p.grad for p in loss.parameters())):
        assert gradient is not None
        assert torch.isfinite(gradient).all()


def test_no_loss_on_the_embedding_leaves_the_cross_entropy_whole() -> None:
    embedding, labels = _batch(3)
    logits = torch.randn(24, 8, generator=torch.Generator().manual_seed(1))
    parts = _build("none")(Outputs(embedding.float(), logits), labels, torch.Generator())
    assert parts.total == parts.classification > 0
    assert parts.embedding == 0


def test_the_page_has_a_command_for_every_loss_that_its_settings_allow() -> None:
    page = (ROOT / "docs" / "losses.md").read_text()
    commands = [block.replace("\\\n", "") for block in re.findall(r"```console\n(.*?)```", page, flags=re.DOTALL)]
    sets = [re.findall(r"--set (\S+)", command) for command in commands]
    assert [load_config("default", each).loss.embedding for each in sets] == re.findall(r"^## ([a-z_]+)$", page, re.M)
    assert {each[0] for each in sets} == {f"loss.embedding={loss}" for loss in EmbeddingLoss}


def test_the_page_names_every_setting() -> None:
    page = (ROOT / "docs" / "losses.md").read_text()
    for name, field in LossConfig.model_fields.items():
        for inner in getattr(type(field.default), "model_fields", {"": None}):
            assert f"`loss.{name}{'.' * bool(inner)}{inner}`" in page or f"`.{inner}`" in page, (name, inner)


@pytest.mark.gpu
@pytest.mark.skipif(not cuda_is_available(), reason="no NVIDIA GPU")
@pytest.mark.parametrize("name", CASES)
def test_a_gpu_gives_the_value_and_the_gradient_of_the_cpu(name: str) -> None:
    embedding, labels = _batch(8)
    found = []
    for device in ("cpu", "cuda"):
        loss = _build(name).double().to(device)
        rows = embedding.to(device).requires_grad_()
        value = _value(loss, rows, labels.to(device))
        value.backward()
        assert rows.grad is not None
        found.append((value.item(), rows.grad.cpu()))
    assert found[0][0] == pytest.approx(found[1][0], abs=1e-9)
    assert torch.allclose(found[0][1], found[1][1], atol=1e-9)
