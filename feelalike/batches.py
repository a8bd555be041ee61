"""Any number of pictures in requests of several."""

import random
from collections.abc import Sequence
from http import HTTPStatus
from typing import Generic, TypeVar

from feelalike.models import Item, Limits
from feelalike.retries import Retries

ItemT = TypeVar("ItemT", bound=Item)


class Packer:
    """Puts pictures together into batches within the service's limits; one larger than they are goes alone.

    Args:
        limits: of one request.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._batch: list[bytes] = []
        self._n_bytes = 0

    def add(self, picture: bytes) -> list[bytes]:
        """Take a picture; gives the batch that is full without it, else nothing."""
        limits = self._limits
        is_full = len(self._batch) >= limits.max_batch_pictures
        is_heavy = self._n_bytes + len(picture) > limits.max_batch_bytes
        batch = self.rest() if is_full or is_heavy else []
        self._batch.append(picture)
        self._n_bytes += len(picture)
        return batch

    def rest(self) -> list[bytes]:
        """What was taken since the last batch."""
        batch, self._batch, self._n_bytes = self._batch, [], 0
        return batch


class Gathered(Generic[ItemT]):
    """The items of one batch; pictures that the service was too busy for are asked for again, by themselves.

    Args:
        pictures: of the batch.
        retries: how often.
        rng: of the waits.
    """

    def __init__(self, pictures: Sequence[bytes], retries: Retries, rng: random.Random) -> None:
        self._pictures = pictures
        self._retries = retries
        self._rng = rng
        self._items: dict[int, ItemT] = {}
        self._left = list(range(len(pictures)))
        self._n_made = 0

    @property
    def left(self) -> list[bytes]:
        """What to send next."""
        return [self._pictures[number] for number in self._left]

    @property
    def items(self) -> list[ItemT]:
        """All of them, in the order of the pictures."""
        return [self._items[number] for number in range(len(self._pictures))]

    def take(self, items: Sequence[ItemT]) -> float | None:
        """Take the answer to `left`: seconds to wait before the next attempt, None when there is none."""
        self._items.update(zip(self._left, items, strict=True))
        self._left = [number for number in self._left if _is_busy(self._items[number])]
        self._n_made += 1
        return self._retries.wait_s(self._n_made, None, self._rng) if self._left else None


def _is_busy(item: Item) -> bool:
    return item.error is not None and item.error.status == HTTPStatus.SERVICE_UNAVAILABLE
