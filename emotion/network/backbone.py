"""From a backbone's name to the network."""

from torchvision.models import alexnet, googlenet
from torchvision.models.feature_extraction import create_feature_extractor

from emotion.network import googlenet_bvlc
from emotion.network.spec import ExtraBackbone, NetworkSpec
from emotion.network.taps import Backbone, Level, MapsBackbone
from emotion.network.timm_backbone import TimmBackbone

GOOGLENET_LEVELS = (
    Level("conv1", 64, 2),
    Level("conv3", 192, 4),
    Level("inception3b", 480, 8),
    Level("inception4e", 832, 16),
    Level("inception5b", 1024, 32),
)
ALEXNET_LEVELS = (
    Level("features.1", 64, 4),
    Level("features.4", 192, 8),
    Level("features.7", 384, 16),
    Level("features.9", 256, 16),
    Level("features.11", 256, 16),
)
"""The five rectified convolutions: only three of them stand before a pooling."""


def extra_backbone(name: str) -> ExtraBackbone | None:
    """The network that is not timm's, or None."""
    return ExtraBackbone(name) if name in list(ExtraBackbone) else None


def build_backbone(spec: NetworkSpec) -> Backbone:
    """The network that `spec.backbone` names, with random weights.

    Raises ConfigError when there is no such network or it has too few levels.
    """
    n_levels = spec.sentiment_vector.n_levels
    match extra_backbone(spec.backbone):
        case ExtraBackbone.GOOGLENET_BVLC:
            return MapsBackbone(googlenet_bvlc.GoogLeNetBvlc(), googlenet_bvlc.LEVELS, n_levels)
        case ExtraBackbone.GOOGLENET:
            # transform_input is off: PreprocessSpec holds the normalisation that it would undo.
            body = googlenet(weights=None, aux_logits=False, transform_input=False, init_weights=False)
            names = [level.name for level in GOOGLENET_LEVELS]
            return MapsBackbone(create_feature_extractor(body, names), GOOGLENET_LEVELS, n_levels)
        case ExtraBackbone.ALEXNET:
            names = [level.name for level in ALEXNET_LEVELS]
            return MapsBackbone(create_feature_extractor(alexnet(weights=None), names), ALEXNET_LEVELS, n_levels)
        case None:
            return TimmBackbone(spec.backbone, spec.sentiment_vector.deepest, n_levels)
