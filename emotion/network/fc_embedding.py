"""The embedding that the sentiment vector is held against: fully connected layers on the pooled features.

Source: Yang et al., AAAI-18, Table 1, rows "FC" (one layer, 512 values); Choi et al., "From image to emotion", section
4 (two layers, 256 values).
"""

from jaxtyping import Float, Float32
from torch import Tensor, nn

from emotion.network.spec import FcEmbeddingSpec


class FcEmbedding(nn.Module):
    """Pooled features to `dim` values, not normalised."""

    def __init__(self, n_features: int, spec: FcEmbeddingSpec) -> None:
        super().__init__()
        self.hidden = nn.Linear(n_features, spec.hidden) if spec.hidden else None
        self.last = nn.Linear(spec.hidden or n_features, spec.dim)

    def forward(self, pooled: Float[Tensor, "b f"]) -> Float32[Tensor, "b d"]:
        """The embedding before its norm: float32, of products that autocast rounds."""
        if self.hidden is not None:
            pooled = self.hidden(pooled).relu()
        values: Tensor = self.last(pooled)
        return values.float()
