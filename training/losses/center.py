"""The center loss: every picture near the centre of its emotion.

Source: Wen et al., A Discriminative Feature Learning Approach for Deep Face Recognition, ECCV 2016, eq. 2. The mean in
place of the sum, and centres that follow the optimiser in place of the paper's own rule (eq. 4).
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn


class CenterLoss(nn.Module):
    """Half the mean of ||x_i - c_{y_i}||_2^2. The centres start at 0, where they pull no picture to one side."""

    def __init__(self, n_classes: int, dim: int) -> None:
        super().__init__()
        self.centers = nn.Parameter(torch.zeros(n_classes, dim))

    def forward(self, embedding: Float[Tensor, "b d"], labels: Int64[Tensor, "b"]) -> Float[Tensor, ""]:
        """Loss of a batch of at least one embedding."""
        return (embedding - self.centers[labels]).square().sum(dim=1).mean() / 2
