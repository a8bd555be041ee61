"""Optimiser, parameter groups and learning-rate schedule; all of it a function of the step, so resuming is exact."""

import math
from collections.abc import Iterable

import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from emotion.network.net import EmotionNet
from training.config import OptimConfig, Schedule
from training.config import Optimizer as OptimizerName


def make_optimizer(net: EmotionNet, config: OptimConfig, of_loss: Iterable[nn.Parameter] = ()) -> Optimizer:
    """Pretrained layers at `lr_backbone`, embedding at `lr`, head at `lr_head`; no decay on vectors.

    With `layer_decay` below 1 the deepest stage has `lr_backbone`, and each one nearer the input `layer_decay` of the
    next one's; ConfigError where the backbone has no stages.

    What the loss itself learns (`of_loss`: centres, proxies) goes at `lr_loss`, without decay: it is no part of the
    model.
    """
    groups = [
        *_backbone_groups(net, config),
        *_groups(net.embedding_parameters(), config.lr, config.weight_decay),
        *_groups(net.head.parameters(), config.lr_head, config.weight_decay),
        *_filled([_group(of_loss, config.lr_loss, 0.0)]),
    ]
    match config.optimizer:
        case OptimizerName.ADAMW:
            return AdamW(groups)
        case OptimizerName.SGD:
            return SGD(groups, momentum=0.9, nesterov=True)


def lr_factor(step: int, n_steps: int, steps_per_epoch: int, config: OptimConfig) -> float:
    """What the base learning rates are multiplied by at a step, 0..1."""
    warmup = round(config.warmup_fraction * n_steps)
    if step < warmup:
        return (step + 1) / warmup
    match config.schedule:
        case Schedule.CONSTANT:
            return 1.0
        case Schedule.STEP:
            return float(0.1 ** (step // steps_per_epoch // config.step_epochs))
        case Schedule.COSINE:
            progress = (step - warmup) / max(1, n_steps - warmup)
            return 0.5 * (1 + math.cos(math.pi * progress))


def set_lr(optimizer: Optimizer, factor: float) -> None:
    """Scale each group's base rate."""
    for group in optimizer.param_groups:
        group["lr"] = group["base_lr"] * factor


def frozen_stages(net: EmotionNet, epoch: int, config: OptimConfig) -> list[nn.Parameter]:
    """What progressive unfreezing holds still in an epoch, counted from 0; nothing where it is off.

    Sentiment vector and class head learn from the start; every `unfreeze_epochs` the next stage follows, the deepest
    first.
    """
    if not config.unfreeze_epochs:
        return []
    stages = net.backbone.stages()
    n_frozen = max(0, len(stages) - epoch // config.unfreeze_epochs)
    return [parameter for stage in stages[:n_frozen] for parameter in stage]


def unread_parameters(net: EmotionNet, size_px: int) -> list[nn.Parameter]:
    """What neither the embedding nor the logits depend on, so that no loss ever moves it.

    Found by asking for gradients: where the sentiment vector takes the map before a head convolution and the class head
    reads the vector, that convolution is left over.
    """
    was_training, device = net.training, net.head.weight.device
    outputs = net.eval()(torch.zeros(1, 3, size_px, size_px, device=device))
    net.train(was_training)
    trainable = [parameter for parameter in net.parameters() if parameter.requires_grad]
    reach = outputs.embedding.sum() + outputs.logits.sum()
    gradients = torch.autograd.grad(reach, trainable, allow_unused=True)
    return [parameter for parameter, gradient in zip(trainable, gradients, strict=True) if gradient is None]


def _backbone_groups(net: EmotionNet, config: OptimConfig) -> list[dict[str, object]]:
    if config.layer_decay == 1:
        return _groups(net.backbone.parameters(), config.lr_backbone, config.weight_decay)
    groups = []
    for above, stage in enumerate(reversed(net.backbone.stages())):
        groups += _groups(stage, config.lr_backbone * config.layer_decay**above, config.weight_decay)
    return groups


def _groups(parameters: Iterable[nn.Parameter], lr: float, weight_decay: float) -> list[dict[str, object]]:
    trainable = [p for p in parameters if p.requires_grad]
    matrices: list[torch.Tensor] = [p for p in trainable if p.ndim > 1]
    vectors: list[torch.Tensor] = [p for p in trainable if p.ndim <= 1]
    return _filled([_group(matrices, lr, weight_decay), _group(vectors, lr, 0.0)])


def _group(parameters: Iterable[torch.Tensor], lr: float, weight_decay: float) -> dict[str, object]:
    return {"params": list(parameters), "lr": lr, "base_lr": lr, "weight_decay": weight_decay}


def _filled(groups: list[dict[str, object]]) -> list[dict[str, object]]:
    return [group for group in groups if group["params"]]
