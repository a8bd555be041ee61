"""Average precision itself, made smooth, with relevance in grades: emotion, its neighbour, same polarity, opposite.

Sources: Ramzi et al., Hierarchical Average Precision Training for Pertinent Image Retrieval, ECCV 2022 (what is
averaged); Brown et al., Smooth-AP, ECCV 2020 (a sigmoid in place of the step). The bounds and the clustering term of
the former are left out: the cross entropy beside this loss does what that term is for.
"""

from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor, nn

from emotion.taxonomy import Taxonomy

CHUNK_VALUES: Final = 2**19
"""Of a cube query x k x j, held at once: 2 MB, which stay in a processor's cache."""

NEIGHBOURS_DIS: Final = 2
"""The wheel distance of two emotions that stand side by side."""


class HierarchicalAPLoss(nn.Module):
    """1 - mean over queries of H-AP = sum_k H-rank(k) / rank(k) / sum_k rel(k), over the batch's relevant pictures k.

    rank(k) = 1 + sum_j H(s_j - s_k); H-rank(k) = rel(k) + sum_j min(rel(k), rel(j)) H(s_j - s_k), with s the cosine
    with the query, H(x) = sigmoid(x / temperature), and j every picture but the query and k. Relevance is that of
    `relevance_grades`: with 1 and 0 alone it is AP.
    """

    grades: Float64[Tensor, "c c"]

    def __init__(
        self,
        taxonomy: Taxonomy,
        *,
        temperature: float = 0.01,
        neighbour_relevance: float = 0.5,
        polarity_relevance: float = 0.25,
    ) -> None:
        super().__init__()
        self.temperature = temperature
        grades = relevance_grades(taxonomy, neighbour_relevance, polarity_relevance)
        self.register_buffer("grades", torch.from_numpy(grades), persistent=False)

    def forward(self, embedding: Float[Tensor, "b d"], labels: Int64[Tensor, "b"]) -> Float[Tensor, ""]:
        """Loss of a batch of L2-normalised embeddings, in 0..1.

        A picture without a relevant one is no query; 0, with a gradient, when none is.
        """
        relevance = self.relevance(labels).to(embedding)
        queries = relevance.any(dim=1).nonzero()[:, 0]
        if len(queries) == 0:
            return embedding.sum() * 0
        score = embedding @ embedding.T / self.temperature
        precision: Tensor = _SmoothPrecision.apply(score, relevance, queries)
        return 1 - precision

    def relevance(self, labels: Int64[Tensor, "b"]) -> Float[Tensor, "b b"]:
        """Between each two pictures; 0 on the diagonal, which is no pair."""
        return self.grades[labels[:, None], labels[None, :]].fill_diagonal_(0)


def relevance_grades(
    taxonomy: Taxonomy, neighbour_relevance: float, polarity_relevance: float
) -> Float64[np.ndarray, "c c"]:
    """Between each two emotions: 1 the same, then wheel neighbours, then the same polarity, 0 otherwise.

    Neighbours are of one polarity: across the wheel's borders (excitement and fear) polarity decides. Without a wheel
    there are none.
    """
    side = taxonomy.polarity_codes()
    related = (side[:, None] == side[None, :]) & (side[:, None] >= 0)
    grades = np.where(related, polarity_relevance, 0.0)
    if taxonomy.wheel is not None:
        grades[related & (taxonomy.dis_matrix() == NEIGHBOURS_DIS)] = neighbour_relevance
    np.fill_diagonal(grades, 1)
    return grades


class _SmoothPrecision(torch.autograd.Function):
    """Mean H-AP of some queries.

    The gradient is taken on the way, a few queries at a time: written with autograd alone, the cubes of all queries and
    their products have to be kept, and most of the time goes into fetching memory for them.
    """

    @staticmethod
    def forward(
        ctx: Any, score: Float[Tensor, "b b"], relevance: Float[Tensor, "b b"], queries: Int64[Tensor, "q"]
    ) -> Float[Tensor, ""]:
        gradient = torch.zeros_like(score)
        total = score.new_zeros(())
        for rows in torch.split(queries, max(1, CHUNK_VALUES // score.numel())):
            precision, gradient[rows] = _precision_and_gradient(score[rows], relevance[rows], rows)
            total += precision.sum()
        ctx.save_for_backward(gradient / len(queries))
        return total / len(queries)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None]:
        return upstream[0] * ctx.saved_tensors[0], None, None


def _precision_and_gradient(
    score: Float[Tensor, "q b"], relevance: Float[Tensor, "q b"], own: Int64[Tensor, "q"]
) -> tuple[Float[Tensor, "q"], Float[Tensor, "q b"]]:
    """H-AP of each query, whose own column is `own`, and its gradient at the scores (cosine / temperature)."""
    number = torch.arange(len(own), device=own.device)
    before = (score[:, None, :] - score[:, :, None]).sigmoid_()  # query, k, j: how much j stands before k
    shared = torch.minimum(relevance[:, :, None], relevance[:, None, :])
    # The sums hold j = k as sigmoid(0) = 1/2 of what the definition counts in full, and j = query, which is taken out.
    rank = before.sum(dim=2) - before[number, :, own] + 0.5
    h_rank = (before * shared).sum(dim=2) + relevance / 2
    share = (relevance > 0) / (rank * relevance.sum(dim=1, keepdim=True))
    # d(H-rank / rank) / d before = (min(rel) - H-rank / rank) / rank; the sigmoid's slope is s - s^2.
    slope = before.addcmul_(before, before, value=-1)
    slope[number, :, own] = 0
    pull = shared.sub_((h_rank / rank)[:, :, None]).mul_(slope).mul_(share[:, :, None])
    return (h_rank * share).sum(dim=1), pull.sum(dim=1) - pull.sum(dim=2)
