"""How far a picture is from everything that the model was trained on.

The Mahalanobis distance of the pooled features, scaled to unit length, to the training pictures (Lee et al., "A Simple
Unified Framework for Detecting Out-of-Distribution Samples and Adversarial Attacks", NeurIPS 2018, with one mean for
all classes). Why the features and not the sentiment vector, and why at unit length:
docs/adr/0007-familiarity-from-the-pooled-features.md.
"""

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everyone uses


class Familiarity(nn.Module):
    """Constants fitted by training/familiarity.py, and the distance that they give.

    The covariance is kept as its `rank` strongest directions, and one variance for all the others.
    """

    mean: Float32[Tensor, "f"]
    directions: Float32[Tensor, "r f"]
    """Orthonormal rows."""
    variances: Float32[Tensor, "r"]
    """Along each direction."""
    residual_variance: Float32[Tensor, ""]
    """Along each direction at right angles to them."""

    def __init__(self, n_features: int, rank: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("directions", torch.eye(rank, n_features))
        self.register_buffer("variances", torch.ones(rank))
        self.register_buffer("residual_variance", torch.ones(()))

    def forward(self, pooled: Float[Tensor, "b f"]) -> Float32[Tensor, "b"]:
        """Distances, in standard deviations over all features together: ordinary pictures lie near sqrt(f)."""
        with torch.autocast(device_type=pooled.device.type, enabled=False):
            offset = F.normalize(pooled.float(), dim=1) - self.mean
            along = offset @ self.directions.T
            # Not |offset|^2 - |along|^2: that difference of large numbers is what bf16 cannot tell.
            rest = offset - along @ self.directions
            squared = (along.square() / self.variances).sum(dim=1) + rest.square().sum(dim=1) / self.residual_variance
            return squared.sqrt()
