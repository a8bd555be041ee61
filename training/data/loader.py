"""Training batches, prepared beside the training step by worker processes."""

import multiprocessing

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from emotion.errors import ConfigError
from training.data.dataset import PictureDataset
from training.data.sampler import BalancedBatches


def training_loader(
    data: PictureDataset, batches: BalancedBatches, n_workers: int, device: torch.device
) -> DataLoader[tuple[Tensor, int]]:
    """Batches of pixels (b 3 h w) and labels (b), the same for any number of workers; one loader serves all epochs.

    Raises ConfigError when workers are asked for on a system that cannot fork.
    """
    if n_workers and "fork" not in multiprocessing.get_all_start_methods():
        raise ConfigError(f"data.n_workers={n_workers} needs a system that can fork; take data.n_workers=0")
    return DataLoader(
        data,
        batch_sampler=batches,
        num_workers=n_workers,
        multiprocessing_context="fork" if n_workers else None,  # the decoded pictures are shared by forking
        persistent_workers=n_workers > 0,
        pin_memory=device.type == "cuda",
        # A starting iterator draws from this. Without workers that is every epoch, with them the first of a run, so
        # it must not draw from the generator of the dropout: a resumed run would drop other values.
        generator=torch.Generator(),
    )
