"""Optimiser, parameter groups and learning-rate schedule; all of it a function of the step, so resuming is exact."""

import math

import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from emotion.network.net import EmotionNet
from training.config import OptimConfig, Schedule
from training.config import Optimizer as OptimizerName


def make_optimizer(net: EmotionNet, config: OptimConfig) -> Optimizer:
    """Pretrained layers at `lr_backbone`, sentiment vector at `lr`, head at `lr_head`; no decay on vectors."""
    groups = [
        *_groups(net.backbone, config.lr_backbone, config.weight_decay),
        *_groups(net.sentiment_vector, config.lr, config.weight_decay),
        *_groups(net.head, config.lr_head, config.weight_decay),
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


def _groups(module: nn.Module, lr: float, weight_decay: float) -> list[dict[str, object]]:
    trainable = [p for p in module.parameters() if p.requires_grad]
    matrices: list[torch.Tensor] = [p for p in trainable if p.ndim > 1]
    vectors: list[torch.Tensor] = [p for p in trainable if p.ndim <= 1]
    groups = ((matrices, weight_decay), (vectors, 0.0))
    return [{"params": ps, "lr": lr, "base_lr": lr, "weight_decay": decay} for ps, decay in groups if ps]
