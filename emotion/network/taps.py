"""What every backbone gives: the maps of its levels and the pooled features, from one forward pass."""

from collections.abc import Sequence
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from emotion.errors import ConfigError


class Taps(NamedTuple):
    """What a backbone gives for a batch."""

    levels: list[Float[Tensor, "b _c _h _w"]]
    """The last map before each down-sampling and the last map, shallow to deep."""
    pooled: Float[Tensor, "b f"]
    """The average-pooled last map: what the class head reads."""


class Level(NamedTuple):
    """Where a tap sits."""

    name: str
    """The layer, as the network's own source calls it."""
    channels: int
    stride: int
    """Input pixels between two neighbours on the map."""


class Backbone(nn.Module):
    """A feature extractor; a subclass sets the attributes and defines `forward`.

    Attributes:
        body: the network, with the names that its files of weights have.
        levels: one entry for each map in Taps.levels.
        n_features: size of the pooled features.
        fixed_size_px: the only input side that the network takes, or None.
    """

    body: nn.Module
    levels: tuple[Level, ...]
    n_features: int
    fixed_size_px: int | None = None

    @property
    def level_channels(self) -> list[int]:
        """Channels of each level."""
        return [level.channels for level in self.levels]

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Taps:
        """Level maps and pooled features of normalised pictures."""
        raise NotImplementedError

    def stages(self) -> list[list[nn.Parameter]]:
        """All parameters, in stages from the input to the deepest.

        Raises ConfigError where the network does not say which layers form a stage.
        """
        raise ConfigError("optim.layer_decay and optim.unfreeze_epochs need stages, which only timm's networks name")


class MapsBackbone(Backbone):
    """A network that gives its maps by name, the one that is pooled last.

    Args:
        body: from pictures to a dict of maps, shallow to deep.
        levels: what those maps are.
        n_levels: how many are used, counted from the deepest. Raises ConfigError when there are fewer.
    """

    def __init__(self, body: nn.Module, levels: Sequence[Level], n_levels: int = 5) -> None:
        super().__init__()
        if n_levels > len(levels):
            raise ConfigError(too_few_levels("this network", len(levels), n_levels))
        self.body = body
        self.levels = tuple(levels[-n_levels:])
        self.n_features = levels[-1].channels

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> Taps:
        """Level maps and pooled features of normalised pictures."""
        maps = list(self.body(x).values())
        return Taps(maps[-len(self.levels) :], maps[-1].mean(dim=(2, 3)))


def too_few_levels(name: str, n_given: int, n_asked: int) -> str:
    """The message for a network with fewer levels than the sentiment vector is to have."""
    return (
        f"{name} has {n_given} levels, the sentiment vector is to have {n_asked}; "
        f"set network.sentiment_vector.n_levels={n_given} or choose another network (docs/networks.md)"
    )
