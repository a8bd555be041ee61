"""Embedding and classifier on frozen features: by triplets and then a classifier, or both at once by cross entropy.

Source: Choi, Lee and Ryu, "From image to emotion", sections 4 and 5: two fully connected layers to 256 values, triplets
by likeness of labels, then the embedding is frozen and the classifier learns by binary cross entropy. The study gives
neither the width between the layers, nor the optimiser, nor the classifier's epochs: 512, SGD with momentum and as many
as the embedding had are ours. So is the ReLU between the layers, and that the embedding is L2-normalised.
"""

from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everyone uses

from emotion.network.fc_embedding import FcEmbedding
from emotion.network.spec import FcEmbeddingSpec
from training.losses.multi_label import MultiLabelTripletLoss
from training.multi_label.method import Method

MOMENTUM: Final = 0.9


class Recipe(BaseModel):
    """All that decides what is learnt, besides the pictures."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Method = Method.TRIPLET
    epochs: int = Field(default=10, gt=0)
    """Of each stage."""
    margin: float = Field(default=1.0, gt=0)
    undersample: bool = False
    """Thin out labels above twice the mean count, in the training part alone."""
    shared: int = Field(default=2, gt=0)
    """Labels that a positive shares with its anchor, or all of the anchor's where it has fewer."""
    layers: FcEmbeddingSpec = FcEmbeddingSpec(dim=256, hidden=512)
    batch_size: int = Field(default=256, gt=1)
    lr: float = Field(default=0.01, gt=0)
    late_lr: float = Field(default=0.001, gt=0)
    late_epoch: int = Field(default=15, ge=0)
    """The first that `late_lr` is for, counted from 0."""
    seed: int = 0


class Layers(nn.Module):
    """What is learnt: features to embedding to logits, as EmotionNet has it with embedding = fc."""

    def __init__(self, n_features: int, spec: FcEmbeddingSpec, n_labels: int) -> None:
        super().__init__()
        self.fc = FcEmbedding(n_features, spec)
        self.head = nn.Linear(spec.dim, n_labels)

    def embed(self, features: Float[Tensor, "b f"]) -> Float[Tensor, "b d"]:
        """L2-normalised."""
        return F.normalize(self.fc(features), dim=1)

    def classify(self, embedding: Float[Tensor, "b d"]) -> Float[Tensor, "b c"]:
        """Logits; the embedding is scaled to the length sqrt(d), as EmotionNet's head reads it."""
        logits: Tensor = self.head(embedding * embedding.shape[1] ** 0.5)
        return logits


class Said(NamedTuple):
    """What the layers make of pictures."""

    embeddings: Float32[np.ndarray, "n d"]
    probs: Float32[np.ndarray, "n c"]


def learn(recipe: Recipe, features: Float32[np.ndarray, "n f"], labels: Bool[np.ndarray, "n c"]) -> Layers:
    """Layers for training pictures; the same recipe and pictures give the same ones."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        layers = Layers(features.shape[1], recipe.layers, labels.shape[1])
    x, y = torch.from_numpy(features), torch.from_numpy(labels.astype(np.float32))
    generator = torch.Generator().manual_seed(recipe.seed)
    if recipe.method is Method.BCE:
        everything = list(layers.parameters())
        _train(
            recipe, everything, lambda rows: _bce(layers.classify(layers.embed(x[rows])), y[rows]), len(x), generator
        )
        return layers.eval()
    loss = MultiLabelTripletLoss(margin=recipe.margin, shared=recipe.shared)
    by_triplets = partial(_triplets, layers, loss, x, y, generator)
    _train(recipe, list(layers.fc.parameters()), by_triplets, len(x), generator)
    with torch.no_grad():
        frozen = layers.embed(x)
    head = list(layers.head.parameters())
    _train(recipe, head, lambda rows: _bce(layers.classify(frozen[rows]), y[rows]), len(x), generator)
    return layers.eval()


@torch.inference_mode()
def apply(layers: Layers, features: Float32[np.ndarray, "n f"]) -> Said:
    """Embeddings and probabilities."""
    embeddings = layers.embed(torch.from_numpy(features))
    return Said(embeddings.numpy(), layers.classify(embeddings).sigmoid().numpy())


def _train(
    recipe: Recipe,
    parameters: list[nn.Parameter],
    loss_of: Callable[[Tensor], Tensor],
    n: int,
    generator: torch.Generator,
) -> None:
    """`loss_of` takes the rows of a batch; a last batch of one picture is left out."""
    optimizer = torch.optim.SGD(parameters, lr=recipe.lr, momentum=MOMENTUM, nesterov=True)
    for epoch in range(recipe.epochs):
        for group in optimizer.param_groups:
            group["lr"] = recipe.lr if epoch < recipe.late_epoch else recipe.late_lr
        order = torch.randperm(n, generator=generator)
        for start in range(0, n - 1, recipe.batch_size):
            optimizer.zero_grad()
            loss_of(order[start : start + recipe.batch_size]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()


def _bce(logits: Float[Tensor, "b c"], labels: Float[Tensor, "b c"]) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, labels)


def _triplets(
    layers: Layers, loss: MultiLabelTripletLoss, x: Tensor, y: Tensor, generator: torch.Generator, rows: Tensor
) -> Tensor:
    value: Tensor = loss(layers.embed(x[rows]), y[rows], generator)
    return value
