"""Average precision itself, made smooth, with relevance in grades: same emotion, same polarity, opposite.

Sources: Ramzi et al., Hierarchical Average Precision Training for Pertinent Image Retrieval, ECCV 2022 (what is
averaged); Brown et al., Smooth-AP, ECCV 2020 (a sigmoid in place of the step). The bounds and the clustering term of
the former are left out: the cross entropy beside this loss does what that term is for.
"""

from typing import Any, Final

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from emotion.taxonomy import Taxonomy

CHUNK_VALUES: Final = 2**19
"""Of a cube query x k x j, held at once: 2 MB, which stay in a processor's cache."""


class HierarchicalAPLoss(nn.Module):
    """1 - mean over queries of H-AP = sum_k H-rank(k) / rank(k) / sum_k rel(k), over the batch's relevant pictures k.

    rank(k) = 1 + sum_j H(s_j - s_k); H-rank(k) = rel(k) + sum_j min(rel(k), rel(j)) H(s_j - s_k), with s the cosine
    with the query, H(x) = sigmoid(x / temperature), and j every picture but the query and k. Relevance is 1 for the
    same emotion, `polarity_relevance` for another one of the same polarity, 0 otherwise: with 1 and 0 alone it is AP.
    """

    polarity: Int64[Tensor, "c"]

    def __init__(self, taxonomy: Taxonomy, *, temperature: float = 0.01, polarity_relevance: float = 0.25) -> None:
        super().__init__()
        self.temperature = temperature
        self.polarity_relevance = polarity_relevance
        self.register_buffer("polarity", torch.from_numpy(taxonomy.polarity_codes()), persistent=False)

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
        side = self.polarity[labels]
        related = (side[:, None] == side[None, :]) & (side[:, None] >= 0)
        relevance = related.double() * self.polarity_relevance
        return relevance.masked_fill(labels[:, None] == labels[None, :], 1).fill_diagonal_(0)


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
