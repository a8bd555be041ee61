"""The original GoogLeNet (Szegedy et al., CVPR 2015) as Caffe's BVLC trained it: the network of the paper.

Unlike torchvision's it has no batch norm, true 5x5 convolutions and local response normalisation. Input is BGR,
0..255 minus (104, 117, 123): see emotion/network/imagenet.py. Layers are named as in the file of weights.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everyone uses

from emotion.network.taps import Level

WIDTHS = {
    "i3a": (192, 64, 96, 128, 16, 32, 32),
    "i3b": (256, 128, 128, 192, 32, 96, 64),
    "i4a": (480, 192, 96, 208, 16, 48, 64),
    "i4b": (512, 160, 112, 224, 24, 64, 64),
    "i4c": (512, 128, 128, 256, 24, 64, 64),
    "i4d": (512, 112, 144, 288, 32, 64, 64),
    "i4e": (528, 256, 160, 320, 32, 128, 128),
    "i5a": (832, 256, 160, 320, 32, 128, 128),
    "i5b": (832, 384, 192, 384, 48, 128, 128),
}
"""Input channels, then those of c1, c3r, c3, c5r, c5 and pp (table 1 of the source)."""

LEVELS = (
    Level("conv1", 64, 2),
    Level("conv2", 192, 4),
    Level("i3b", 480, 8),
    Level("i4e", 832, 16),
    Level("i5b", 1024, 32),
)
"""Each before its pooling, conv2 before its response normalisation."""


class Inception(nn.Module):
    """Four branches on one map, concatenated: 1x1, 3x3, 5x5, and a 3x3 max pool."""

    def __init__(self, c_in: int, c1: int, c3r: int, c3: int, c5r: int, c5: int, pp: int) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(c_in, c1, 1)
        self.c3r = nn.Conv2d(c_in, c3r, 1)
        self.c3 = nn.Conv2d(c3r, c3, 3, padding=1)
        self.c5r = nn.Conv2d(c_in, c5r, 1)
        self.c5 = nn.Conv2d(c5r, c5, 5, padding=2)
        self.pp = nn.Conv2d(c_in, pp, 1)

    def forward(self, x: Float[Tensor, "b _i h w"]) -> Float[Tensor, "b _o h w"]:
        """The branches side by side, rectified."""
        three = self.c3(F.relu(self.c3r(x)))
        five = self.c5(F.relu(self.c5r(x)))
        pooled = self.pp(F.max_pool2d(x, 3, stride=1, padding=1))
        return F.relu(torch.cat([self.c1(x), three, five, pooled], dim=1))


class GoogLeNetBvlc(nn.Module):
    """conv1 to inception 5b; the ImageNet classifier is left out."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3)
        self.conv2r = nn.Conv2d(64, 64, 1)
        self.conv2 = nn.Conv2d(64, 192, 3, padding=1)
        self.inc = nn.ModuleDict({name: Inception(*widths) for name, widths in WIDTHS.items()})

    def forward(self, x: Float[Tensor, "b 3 h w"]) -> dict[str, Float[Tensor, "b _c _h _w"]]:
        """The five level maps by name, shallow to deep."""
        conv1 = F.relu(self.conv1(x))
        reduced = F.relu(self.conv2r(response_norm(_halve(conv1))))
        conv2 = F.relu(self.conv2(reduced))
        i3b = self._run(_halve(response_norm(conv2)), "i3a", "i3b")
        i4e = self._run(_halve(i3b), "i4a", "i4b", "i4c", "i4d", "i4e")
        i5b = self._run(_halve(i4e), "i5a", "i5b")
        return {"conv1": conv1, "conv2": conv2, "i3b": i3b, "i4e": i4e, "i5b": i5b}

    def _run(self, x: Tensor, *names: str) -> Tensor:
        for name in names:
            x = self.inc[name](x)
        return x


def _halve(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 3, stride=2, ceil_mode=True)


def response_norm(x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """x / (1 + 1e-4 / 5 * sum of squares over 5 neighbouring channels)^0.75.

    Written out, because torch's own pools in three dimensions, which costs OpenVINO half of the network's time again.
    """
    squares = F.pad(x * x, (0, 0, 0, 0, 2, 2))
    total = torch.ones_like(x)
    for shift in range(5):
        total = total + (1e-4 / 5) * squares[:, shift : shift + x.shape[1]]
    return x * torch.rsqrt(total * torch.sqrt(total))
