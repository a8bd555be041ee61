"""Batches in which every emotion has partners: the sentiment constraint needs pairs."""

from collections.abc import Iterator, Sequence

import numpy as np

from emotion.errors import ConfigError


class BalancedBatches:
    """Batches with at least `min_per_class` pictures of each emotion present in the data, as (epoch, index).

    An epoch has as many batches as the data fills. Each emotion is walked in a shuffled order that starts anew when
    it is used up; what remains of the batch is drawn from all pictures. The order depends on seed and epoch alone.

    Of several processes each gets every `world_size`-th picture of the same batches, so that a share holds about as
    many of each emotion as any other.
    """

    def __init__(
        self,
        labels: Sequence[int],
        batch_size: int,
        min_per_class: int,
        seed: int,
        *,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.labels = np.asarray(labels)
        self.classes = np.unique(self.labels)
        self.batch_size = batch_size
        self.min_per_class = min_per_class
        self.seed = seed
        self.share = slice(rank, None, world_size)
        self.epoch = 0
        if batch_size < min_per_class * len(self.classes):
            raise ConfigError(_too_small(batch_size, min_per_class, len(self.classes), world_size))
        if batch_size % world_size:
            raise ConfigError(
                f"data.batch_size={batch_size} is that of all {world_size} processes together and does not divide "
                f"into {world_size}; take {batch_size + -batch_size % world_size}, or another number of processes"
            )

    def __len__(self) -> int:
        return max(1, len(self.labels) // self.batch_size)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        epoch = self.epoch
        rng = np.random.default_rng((self.seed, epoch))
        per_class = {c: _endless(np.flatnonzero(self.labels == c), rng) for c in self.classes}
        anywhere = _endless(np.arange(len(self.labels)), rng)
        for _ in range(len(self)):
            batch = [next(per_class[c]) for c in self.classes for _ in range(self.min_per_class)]
            batch += [next(anywhere) for _ in range(self.batch_size - len(batch))]
            yield [(epoch, row) for row in batch[self.share]]


def _too_small(batch_size: int, min_per_class: int, n_classes: int, world_size: int) -> str:
    enough = min_per_class * n_classes
    enough += -enough % world_size
    fewer = batch_size // n_classes  # one picture of an emotion is no pair
    remedy = f"data.batch_size={enough}" + (f" or data.min_per_class={fewer}" if fewer > 1 else "")
    return (
        f"data.batch_size={batch_size} cannot hold data.min_per_class={min_per_class} pictures of {n_classes} "
        f"emotions; take {remedy}"
    )


def _endless(rows: np.ndarray, rng: np.random.Generator) -> Iterator[int]:
    while True:
        yield from (int(row) for row in rng.permutation(rows))
