"""A training that Ctrl-C stops after its first epoch, and what goes on from there."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from training import loop
from training.loop import Trainer


class Interrupt(Exception):  # noqa: N818 - stands for Ctrl-C
    """Raised once the first checkpoint is written."""


def interrupt(monkeypatch: pytest.MonkeyPatch, start: Callable[[], Any]) -> None:
    """Start it, and stop it after its first epoch."""
    save = loop.save_checkpoint

    def save_and_stop(*args: Any) -> None:
        save(*args)
        raise Interrupt

    with monkeypatch.context() as patched:
        patched.setattr(loop, "save_checkpoint", save_and_stop)
        with pytest.raises(Interrupt):
            start()


def check_same_training(one: Trainer, other: Trainer) -> None:
    """Weights, what the loss has learnt, and every epoch's loss are the same to the bit."""
    for mine, theirs in ((one.net, other.net), (one.loss, other.loss)):
        state = theirs.state_dict()
        assert all(torch.equal(state[name], tensor) for name, tensor in mine.state_dict().items())
    assert [record.loss for record in one.history] == [record.loss for record in other.history]
