import torch

from emotion.network.net import EmotionNet
from emotion.network.spec import NetworkSpec
from training.interpolation import between, copy_state

SPEC = NetworkSpec(backbone="test_efficientnet")


def test_weights_are_drawn_back_towards_the_start() -> None:
    torch.manual_seed(0)
    net = EmotionNet(SPEC, 4)
    with torch.no_grad():
        net.head.bias.fill_(1.0)
        start = copy_state(net)
        net.head.bias.fill_(5.0)
        net.backbone.get_buffer(_counter(net)).fill_(7)

    mixed = between(start, net, 0.25)

    assert torch.equal(mixed.head.bias, torch.full((4,), 2.0))
    assert mixed.backbone.get_buffer(_counter(net)) == 7
    assert torch.equal(net.head.bias, torch.full((4,), 5.0)), "the net itself stays as it is"
    assert torch.equal(between(start, net, 1.0).head.bias, net.head.bias)


def test_a_kept_state_does_not_follow_the_net() -> None:
    net = EmotionNet(SPEC, 4)
    state = copy_state(net)
    before = state["head.weight"].clone()
    with torch.no_grad():
        net.head.weight.add_(1)
    assert torch.equal(state["head.weight"], before)


def _counter(net: EmotionNet) -> str:
    return next(name for name, _ in net.backbone.named_buffers() if name.endswith("num_batches_tracked"))
