"""What network a bundle holds; torch-free, because the bundle's reader needs it everywhere."""

from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

LITE0: Final = "tf_efficientnet_lite0"
"""The default backbone: its ImageNet weights come with a package."""


class Activation(StrEnum):
    """What follows the sentiment vector's 1x1 convolutions.

    The paper adds "the non-linear activation", its authors' code has none; ReLU is our default.
    """

    RELU = "relu"
    NONE = "none"


class DeepestTap(StrEnum):
    """Which map counts as the backbone's last."""

    HEAD = "head"
    """The map that is pooled for the classifier, as in the paper's GoogLeNet (inception 5b)."""
    STAGE = "stage"
    """The last stage's output, before a convolution that belongs to the classifier's head."""


class ExtraBackbone(StrEnum):
    """Networks that timm does not have; every other name of a backbone is timm's."""

    GOOGLENET_BVLC = "googlenet_bvlc"
    """The original GoogLeNet of Caffe, the network of the paper."""
    GOOGLENET = "googlenet"
    """torchvision's: batch norm, and 3x3 in place of 5x5."""
    ALEXNET = "alexnet"
    """torchvision's, with one column."""


class SentimentVectorSpec(BaseModel):
    """Shape of the sentiment vector; five levels of 16 filters give 5 * 136 = 680 values."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_filters: int = Field(default=16, gt=0)
    n_levels: int = Field(default=5, gt=0)
    activation: Activation = Activation.RELU
    deepest: DeepestTap = DeepestTap.HEAD
    signed_sqrt: bool = False
    """Take sign(x) * sqrt(|x|) of every Gram value before the level is normalised."""

    @property
    def level_dim(self) -> int:
        """Values a level contributes: the lower triangle with the diagonal."""
        return self.n_filters * (self.n_filters + 1) // 2

    @property
    def dim(self) -> int:
        """Size of the whole embedding."""
        return self.n_levels * self.level_dim


class NetworkSpec(BaseModel):
    """Backbone, sentiment vector and class head."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backbone: str = LITE0
    """One of ExtraBackbone, or a name that timm knows."""
    sentiment_vector: SentimentVectorSpec = SentimentVectorSpec()
    dropout: float = Field(default=0.2, ge=0, lt=1)
