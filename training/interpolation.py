"""A net between two others: weights that were fine-tuned, drawn back towards those they started from.

Source: Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022 (WiSE-FT). Here the start is a linear probe:
on a few hundred pictures fine-tuning learns polarity and forgets nearness by emotion, and a net halfway has both
(figures in docs/experiments.md).
"""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor

from emotion.network.net import EmotionNet

State = Mapping[str, Tensor]


def copy_state(net: EmotionNet) -> dict[str, Tensor]:
    """The weights as they are, on the CPU."""
    return {name: tensor.detach().cpu().clone() for name, tensor in net.state_dict().items()}


def between(start: State, net: EmotionNet, share: float) -> EmotionNet:
    """A copy of `net` whose weights are share x its own + (1 - share) x the start's; counters are its own.

    Meant for batch norm with frozen statistics: statistics of two nets do not average to those of the net between.
    """
    mixed = copy.deepcopy(net)
    mixed.load_state_dict({name: _mix(start[name], own, share) for name, own in net.state_dict().items()})
    return mixed


def _mix(start: Tensor, own: Tensor, share: float) -> Tensor:
    return torch.lerp(start.to(own), own, share) if own.is_floating_point() else own
