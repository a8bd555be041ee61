"""What network a bundle holds; torch-free, because the bundle's reader needs it everywhere."""

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

LITE0: Final = "tf_efficientnet_lite0"
"""The default backbone: its ImageNet weights come with a package."""
LITE1: Final = "tf_efficientnet_lite1"
LITE2: Final = "tf_efficientnet_lite2"
"""Deeper, with larger pictures (240 and 260 pixels); their weights come with the extra `lite`."""


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


class LevelNorm(StrEnum):
    """What is brought to length 1 before the whole vector is."""

    LEVEL = "level"
    """Every level, so that all weigh the same; whether a Gram matrix was divided by M then makes no difference."""
    GLOBAL = "global"
    """Nothing: a level weighs what its values, averaged over its positions, come to."""


class Projection(StrEnum):
    """What follows the levels, before the last norm; the dimension stays."""

    NONE = "none"
    LINEAR = "linear"
    """A learned matrix, dim x dim, that starts as the identity."""


class EmbeddingKind(StrEnum):
    """What a picture is embedded by."""

    SENTIMENT_VECTOR = "sentiment_vector"
    FC = "fc"
    """Fully connected layers on the pooled features: what the paper compares the sentiment vector with."""

    @property
    def noun(self) -> str:
        """For reports."""
        return "FC embedding" if self is EmbeddingKind.FC else "sentiment vector"


class HeadInput(StrEnum):
    """What the class head reads."""

    FEATURES = "features"
    """The pooled last map, as in the paper."""
    EMBEDDING = "embedding"
    """The class head's loss then shapes the embedding too."""
    BOTH = "both"


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
    """Maps that a level is reduced to; a level has n (n + 1) / 2 values."""
    n_levels: int = Field(default=5, gt=0)
    """Maps of the backbone that are read, the deepest ones."""
    activation: Activation = Activation.RELU
    deepest: DeepestTap = DeepestTap.HEAD
    signed_sqrt: bool = False
    """Take sign(x) * sqrt(|x|) of every Gram value before the level is normalised."""
    norm: LevelNorm = LevelNorm.LEVEL
    level_weights: tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...] = ()
    """What each level is multiplied by, shallow to deep; 0 leaves its place in the vector empty, none given means 1."""
    projection: Projection = Projection.NONE

    @model_validator(mode="after")
    def _check(self) -> Self:
        weights = self.level_weights
        if weights and (len(weights) != self.n_levels or not any(weights)):
            raise ValueError(f"level_weights needs {self.n_levels} weights, one of them above 0; got {list(weights)}")
        return self

    @property
    def level_dim(self) -> int:
        """Values a level contributes: the lower triangle with the diagonal."""
        return self.n_filters * (self.n_filters + 1) // 2

    @property
    def dim(self) -> int:
        """Size of the whole embedding."""
        return self.n_levels * self.level_dim


class FcEmbeddingSpec(BaseModel):
    """Fully connected layers in place of the sentiment vector."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dim: int = Field(default=512, gt=0)
    """Size of the embedding; 512 in the paper."""
    hidden: int = Field(default=0, ge=0)
    """Width of a layer with a ReLU before the last one; 0: the last one reads the pooled features."""


class NetworkSpec(BaseModel):
    """Backbone, embedding and class head."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backbone: str = LITE0
    """`googlenet_bvlc`, `googlenet`, `alexnet`, or a name that timm knows; see docs/networks.md."""
    embedding: EmbeddingKind = EmbeddingKind.SENTIMENT_VECTOR
    sentiment_vector: SentimentVectorSpec = SentimentVectorSpec()
    fc: FcEmbeddingSpec = FcEmbeddingSpec()
    """Read with embedding = fc, where the sentiment vector is not."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Of the features before the class head, while training."""
    head_input: HeadInput = HeadInput.FEATURES
    flip_average: bool = False
    """Average the outputs for the picture and for its mirror image, at twice the cost; not while training."""
    familiarity_rank: int = Field(default=0, ge=0)
    """Directions that the distance to the training pictures keeps apart; 0: the network does not measure it."""

    @property
    def dim(self) -> int:
        """Size of the embedding."""
        match self.embedding:
            case EmbeddingKind.SENTIMENT_VECTOR:
                return self.sentiment_vector.dim
            case EmbeddingKind.FC:
                return self.fc.dim
