import pytest
import torch

from emotion.errors import ConfigError
from emotion.network.backbone import build_backbone
from emotion.network.net import EmotionNet
from emotion.network.spec import NetworkSpec
from training.config import OptimConfig, Schedule
from training.config import Optimizer as OptimizerName
from training.optim import frozen_stages, lr_factor, make_optimizer, set_lr


@pytest.mark.parametrize(
    ("schedule", "step", "expected"),
    [
        (Schedule.COSINE, 0, 0.1),
        (Schedule.COSINE, 9, 1.0),
        (Schedule.COSINE, 10, 1.0),
        (Schedule.COSINE, 55, 0.5),
        (Schedule.COSINE, 100, 0.0),
        (Schedule.CONSTANT, 99, 1.0),
        (Schedule.STEP, 19, 1.0),
        (Schedule.STEP, 20, 0.1),
        (Schedule.STEP, 40, 0.01),
    ],
)
def test_schedule(schedule: Schedule, step: int, expected: float) -> None:
    config = OptimConfig(schedule=schedule, warmup_fraction=0.1, step_epochs=2)
    assert lr_factor(step, 100, 10, config) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", list(OptimizerName))
def test_groups_have_their_own_rates_and_vectors_do_not_decay(name: OptimizerName) -> None:
    net = EmotionNet(NetworkSpec(), 8)
    config = OptimConfig(optimizer=name, lr_backbone=1e-4, lr=1e-3, lr_head=1e-2, weight_decay=0.1)
    optimizer = make_optimizer(net, config)
    set_lr(optimizer, 0.5)
    rates = {id(p): (g["lr"], g["weight_decay"]) for g in optimizer.param_groups for p in g["params"]}
    assert rates[id(net.backbone.body.conv_stem.weight)] == (pytest.approx(5e-5), 0.1)
    assert rates[id(net.sentiment_vector.reduce[0].weight)] == (pytest.approx(5e-4), 0.1)
    assert rates[id(net.head.bias)] == (pytest.approx(5e-3), 0)
    assert len(rates) == len(list(net.parameters()))


def test_a_frozen_trunk_is_not_optimised() -> None:
    net = EmotionNet(NetworkSpec(), 8)
    net.backbone.requires_grad_(False)
    optimised = {id(p) for g in make_optimizer(net, OptimConfig()).param_groups for p in g["params"]}
    assert optimised == {id(p) for p in (*net.sentiment_vector.parameters(), *net.head.parameters())}
    assert all(isinstance(g["params"][0], torch.nn.Parameter) for g in make_optimizer(net, OptimConfig()).param_groups)


def test_what_the_loss_learns_has_its_own_rate_and_does_not_decay() -> None:
    proxies = torch.nn.Parameter(torch.ones(8, 680))
    optimizer = make_optimizer(EmotionNet(NetworkSpec(), 8), OptimConfig(lr_loss=0.1, weight_decay=0.2), [proxies])
    set_lr(optimizer, 0.5)
    group = next(g for g in optimizer.param_groups if g["params"][0] is proxies)
    assert len(group["params"]) == 1
    assert (group["lr"], group["weight_decay"]) == (0.05, 0)


def test_layer_decay_slows_each_stage_nearer_the_input() -> None:
    net = EmotionNet(NetworkSpec(backbone="test_resnet"), 8)
    optimizer = make_optimizer(net, OptimConfig(lr_backbone=1e-2, layer_decay=0.5, lr=1e-3))
    rates = {id(p): g["base_lr"] for g in optimizer.param_groups for p in g["params"]}
    body = net.backbone.body
    # Four stages after the stem: 1e-2 * 0.5 to the number of stages above.
    by_hand = [(body.conv1[0], 4), (body.layer1, 3), (body.layer2, 2), (body.layer3, 1), (body.layer4, 0)]
    for module, above in by_hand:
        assert {rates[id(p)] for p in module.parameters()} == {1e-2 * 0.5**above}
    assert rates[id(net.sentiment_vector.reduce[0].weight)] == 1e-3
    assert len(rates) == len(list(net.parameters()))


def test_stages_thaw_from_the_head_down() -> None:
    net = EmotionNet(NetworkSpec(backbone="test_resnet"), 8)
    config = OptimConfig(unfreeze_epochs=2)
    body = net.backbone.body
    stages = [(body.layer4, 2), (body.layer3, 4), (body.layer2, 6), (body.layer1, 8), (body.conv1, 10)]
    for epoch in range(12):
        frozen = {id(p) for p in frozen_stages(net, epoch, config)}
        for module, first_epoch in stages:
            assert {id(p) in frozen for p in module.parameters()} == {epoch < first_epoch}
        assert not frozen & {id(p) for p in (*net.head.parameters(), *net.sentiment_vector.parameters())}
    assert frozen_stages(net, 0, OptimConfig()) == []


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "test_convnext", "test_vit", "test_mambaout"])
def test_stages_hold_every_parameter_once_and_begin_at_the_input(name: str) -> None:
    backbone = build_backbone(NetworkSpec(backbone=name))
    stages = backbone.stages()
    assert sorted(id(p) for stage in stages for p in stage) == sorted(id(p) for p in backbone.parameters())
    assert all(stages)
    assert id(next(p for p in backbone.parameters() if p.ndim == 4)) in {id(p) for p in stages[0]}


def test_a_network_without_stages_says_so() -> None:
    net = EmotionNet(NetworkSpec(backbone="googlenet_bvlc"), 8)
    with pytest.raises(ConfigError, match=r"only timm's networks"):
        make_optimizer(net, OptimConfig(layer_decay=0.5))
    make_optimizer(net, OptimConfig())
