import pytest
import torch

from emotion.network.net import EmotionNet
from emotion.network.spec import NetworkSpec
from training.config import OptimConfig, Schedule
from training.config import Optimizer as OptimizerName
from training.optim import lr_factor, make_optimizer, set_lr


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
