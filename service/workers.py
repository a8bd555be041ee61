"""Blocking work off the event loop: a few threads, and a bound on what may be on its way to them."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from service.errors import OverloadedError

P = ParamSpec("P")
T = TypeVar("T")


class WorkPool:
    """Threads with an entrance that turns away what would only pile up.

    Args:
        name: of the work; appears in messages and thread names.
        n_threads: running at a time.
        max_admitted: admitted at a time, whether waiting, receiving or running.
    """

    def __init__(self, name: str, n_threads: int, max_admitted: int) -> None:
        self._name = name
        self._max_admitted = max_admitted
        self._admitted = 0
        self._counting = threading.Lock()
        self._begun: dict[object, float] = {}
        self._threads = ThreadPoolExecutor(n_threads, thread_name_prefix=name)

    @property
    def admitted(self) -> int:
        """Pieces of work inside now."""
        return self._admitted

    @contextmanager
    def admission(self) -> Iterator[None]:
        """Be inside; raises OverloadedError when it is full."""
        self.enter()
        try:
            yield
        finally:
            self.leave()

    @property
    def is_full(self) -> bool:
        """Whether nobody else is let in."""
        return self._admitted >= self._max_admitted

    def enter(self) -> None:
        """Be inside until `leave`, which any thread may call; raises OverloadedError when it is full."""
        with self._counting:
            if self.is_full:
                raise OverloadedError(f"{self._max_admitted} pictures are being {self._name} already; try again")
            self._admitted += 1

    def leave(self) -> None:
        """Make room for another."""
        with self._counting:
            self._admitted -= 1

    @property
    def longest_s(self) -> float:
        """How long the longest running piece of work has been running, in seconds; 0 when none is."""
        begun = self._begun.copy().values()  # in one step: threads come and go
        return time.monotonic() - min(begun) if begun else 0.0

    def submit(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a function in one of the threads, without an event loop that waits for it."""
        return self._threads.submit(self._timed, lambda: work(*args, **kwargs))

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in one of the threads."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._timed, lambda: work(*args, **kwargs))

    def close(self) -> None:
        """Drop what waits and let what runs end."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _timed(self, work: Callable[[], T]) -> T:
        key = object()
        self._begun[key] = time.monotonic()
        try:
            return work()
        finally:
            del self._begun[key]
