"""Training batches, prepared beside the training step by worker processes."""

import multiprocessing
from collections.abc import Iterable
from typing import TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

from emotion.errors import ConfigError

Input = TypeVar("Input")


def training_loader(
    data: Dataset[tuple[Input, int]], batches: Iterable[list[tuple[int, int]]], n_workers: int, device: torch.device
) -> DataLoader[tuple[Input, int]]:
    """Batches of pixels (b 3 h w) and labels (b), the same for any number of workers; one loader serves all epochs.

    Where `data` gives something else than pixels (CachedTaps), so do the batches.

    Raises ConfigError when workers are asked for on a system that cannot fork.
    """
    return DataLoader(
        data,
        batch_sampler=batches,
        num_workers=n_workers,
        multiprocessing_context=_context(n_workers),
        persistent_workers=n_workers > 0,
        pin_memory=device.type == "cuda",
        # A starting iterator draws from this. Without workers that is every epoch, with them the first of a run, so
        # it must not draw from the generator of the dropout: a resumed run would drop other values.
        generator=torch.Generator(),
    )


def single_pass_loader(
    data: Dataset[tuple[Input, int]], batch_size: int, n_workers: int, device: torch.device
) -> DataLoader[tuple[Input, int]]:
    """Every picture once, in order, the same for any number of workers; they end with the pass.

    Raises ConfigError when workers are asked for on a system that cannot fork.
    """
    return DataLoader(
        data,
        batch_size=batch_size,
        num_workers=n_workers,
        multiprocessing_context=_context(n_workers),
        pin_memory=device.type == "cuda",
        generator=torch.Generator(),
    )


def _context(n_workers: int) -> str | None:
    """How workers start: the decoded pictures are shared by forking."""
    if n_workers and "fork" not in multiprocessing.get_all_start_methods():
        raise ConfigError(f"data.n_workers={n_workers} needs a system that can fork; take data.n_workers=0")
    return "fork" if n_workers else None
