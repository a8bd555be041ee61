"""Any timm network as a backbone: stages of a CNN, stem and stages, or blocks of a transformer."""

from typing import Any

import timm
import torch
from jaxtyping import Float
from timm.models import group_parameters
from torch import Tensor, nn

from emotion.errors import ConfigError
from emotion.network.spec import DeepestTap
from emotion.network.taps import Backbone, Level, Taps, too_few_levels


class TimmBackbone(Backbone):
    """A timm network by name, with or without the tag of its weights.

    Stages whose stride grows: the deepest `n_levels` of them, and the stem before them where one is lacking.
    Blocks of one stride, as in a ViT: `n_levels` of them, evenly spread, ending with the last.

    Raises ConfigError when timm does not know the name or the network has too few levels.
    """

    def __init__(self, name: str, deepest: DeepestTap = DeepestTap.HEAD, n_levels: int = 5) -> None:
        super().__init__()
        config = timm_config(name)
        body = timm.create_model(name, pretrained=False, num_classes=0)
        if not hasattr(body, "forward_intermediates") or not body.feature_info:
            raise ConfigError(f"timm's {name!r} does not give its inner maps; see docs/networks.md for others")
        self.body = body
        self.deepest = deepest
        self.fixed_size_px = config.input_size[-1] if config.fixed_input_size else None
        self._indices = choose_levels(body, n_levels)
        levels = [_level(body, index) for index in self._indices]
        stem = _stem_level(body, config.input_size[-1]) if len(levels) < n_levels else None
        self._stem = stem.name if stem else None
        if stem is not None:
            levels.insert(0, stem)
        if len(levels) < n_levels:
            raise ConfigError(too_few_levels(name, len(levels), n_levels))
        if body.num_features == levels[-1].channels:
            _remove_head(body, self._indices)
        elif deepest is DeepestTap.HEAD:
            levels[-1] = Level("head", body.num_features, levels[-1].stride)
        self.n_features = body.num_features
        self.levels = tuple(levels)

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Taps:
        """Level maps and pooled features of normalised pictures."""
        body: Any = self.body
        last, maps = body.forward_intermediates(x, indices=self._indices, output_fmt="NCHW")
        last = _as_map(body, last, maps[-1])
        if self.deepest is DeepestTap.HEAD:
            maps = [*maps[:-1], last]
        if self._stem is not None:  # twice through one convolution: timm returns the maps of stages only
            maps = [_channels_first(body, body.get_submodule(self._stem)(x)), *maps]
        return Taps(maps, last.mean(dim=(2, 3)))

    def stages(self) -> list[list[nn.Parameter]]:
        """The stem, then timm's own coarse groups: stages of a CNN, single blocks of a transformer."""
        body: Any = self.body
        place = group_parameters(body, body.group_matcher(coarse=True), reverse=True)
        stages: list[list[nn.Parameter]] = [[] for _ in range(max(place.values()) + 1)]
        for name, parameter in body.named_parameters():
            stages[place[name]].append(parameter)
        return stages


def timm_config(name: str) -> timm.models.PretrainedCfg:
    """What timm knows of a network's weights: input size, normalisation, licence.

    Raises ConfigError, with near names, when timm does not know it.
    """
    if not timm.is_model(name):
        near = ", ".join(timm.list_models(f"*{name[:12]}*")[:5]) or "see timm.list_models()"
        raise ConfigError(f"timm has no network called {name!r}; near it: {near}")
    try:
        config = timm.models.get_pretrained_cfg(name)
    except RuntimeError as error:
        tags = ", ".join(timm.list_pretrained(f"{name.partition('.')[0]}.*")[:5])
        raise ConfigError(f"timm has no weights called {name!r}; it has: {tags or 'none'}") from error
    return config or timm.models.PretrainedCfg()


def choose_levels(body: Any, n_levels: int) -> list[int]:
    """Which of timm's feature maps are the levels; fewer than `n_levels` when the network has fewer."""
    info = list(body.feature_info)
    if len(info) > n_levels and len({entry["reduction"] for entry in info}) == 1:
        return [round((level + 1) * len(info) / n_levels) - 1 for level in range(n_levels)]
    if isinstance(body.get_submodule(info[-1]["module"]), nn.MaxPool2d):  # VGG: the map before it is the last one
        info.pop()
    return list(range(len(info)))[-n_levels:]


def _level(body: Any, index: int) -> Level:
    entry = body.feature_info[index]
    return Level(entry["module"], entry["num_chs"], entry["reduction"])


@torch.no_grad()
def _stem_level(body: Any, size_px: int) -> Level | None:
    names = [name for name, _ in body.named_children() if name in ("stem", "patch_embed")]
    if not names:
        return None
    name = names[0]
    body.eval()
    stem = body.get_submodule(name)(torch.zeros(1, 3, size_px, size_px))
    body.train()
    if not isinstance(stem, Tensor) or stem.ndim != 4:
        return None
    stem = _channels_first(body, stem)
    return Level(name, stem.shape[1], size_px // stem.shape[2])


def _remove_head(body: Any, indices: list[int]) -> None:
    """Drop what only the ImageNet classifier uses, and layers past the last level (VGG: 120 of 138 M parameters)."""
    body.prune_intermediate_layers(indices, prune_norm=False, prune_head=True)


def _channels_first(body: Any, maps: Tensor) -> Tensor:
    # Not every network with channels last says so; pictures are square, so two equal sides give it away.
    channels_last = getattr(body, "output_fmt", None) == "NHWC" or maps.shape[1] == maps.shape[2] != maps.shape[3]
    return maps.permute(0, 3, 1, 2) if channels_last else maps


def _as_map(body: Any, last: Tensor, like: Tensor) -> Float[Tensor, "b c h w"]:
    if last.ndim == 4:
        return _channels_first(body, last)
    height, width = like.shape[2:]
    patches = last[:, -height * width :]  # class and register tokens come first
    return patches.transpose(1, 2).reshape(patches.shape[0], patches.shape[2], height, width)
