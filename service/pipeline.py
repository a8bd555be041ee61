"""A picture's way from its bytes to the model's answer and its neighbours: threads that hand on to each other.

A decoder hands the pixels to the model lane, the lane what it found to a search; the event loop, which has the most to
do and gets the least of a busy machine, is woken once, at the end.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final, NamedTuple

import numpy as np

from emotion.arrays import Embedding, Embeddings, Pixels
from index.device import one_thread_per_search
from index.view import Searchable
from service.errors import NotReadyError, OverloadedError
from service.inference import ModelLane, Prediction
from service.metrics import Metrics
from service.schemas import SearchResult
from service.workers import WorkPool

MAX_TOGETHER: Final = 32
"""Searches that are done as one at most."""

Find = Callable[[Searchable, Embeddings, int], list[list[SearchResult]]]


class Found(NamedTuple):
    """What is known of a picture at the end of its way."""

    prediction: Prediction
    results: list[SearchResult]


class _Wanted(NamedTuple):
    query: Embedding
    snapshot: Searchable
    k: int
    results: Future[list[SearchResult]]


class SearchPool:
    """Searches in a few threads; what waits for the same snapshot and k is searched together.

    Args:
        find: gives the results of each of several queries.
        n_threads: searching at a time, each in itself alone.
        metrics: told how long searches take.
    """

    def __init__(self, find: Find, n_threads: int, metrics: Metrics) -> None:
        self._find = find
        self._metrics = metrics
        self._waiting: deque[_Wanted] = deque()
        self._threads = ThreadPoolExecutor(n_threads, thread_name_prefix="search", initializer=one_thread_per_search)

    def submit(self, query: Embedding, snapshot: Searchable, k: int) -> Future[list[SearchResult]]:
        """Search in a while."""
        results: Future[list[SearchResult]] = Future()
        self._waiting.append(_Wanted(query, snapshot, k, results))
        self._threads.submit(self._work)
        return results

    def close(self) -> None:
        """Answer what waits and end the threads."""
        self._threads.shutdown(wait=True)

    def _work(self) -> None:
        """Everything that waits now; often nothing, since another thread took it along."""
        groups: dict[tuple[int, int], list[_Wanted]] = {}
        for _ in range(MAX_TOGETHER):
            try:
                one = self._waiting.popleft()
            except IndexError:
                break
            if one.results.set_running_or_notify_cancel():
                groups.setdefault((id(one.snapshot), one.k), []).append(one)
        for group in groups.values():
            self._search(group)

    def _search(self, group: list[_Wanted]) -> None:
        first = group[0]
        try:
            with self._metrics.stage("search"):
                found = self._find(first.snapshot, np.stack([one.query for one in group]), first.k)
        except Exception as error:
            for one in group:
                one.results.set_exception(error)
            return
        for one, results in zip(group, found, strict=True):
            one.results.set_result(results)


class Pipeline:
    """The way, and who may set out on it.

    Args:
        prepare: decodes; raises PictureError.
        decoders: where that is done.
        lane: the model.
        searches: what comes after it.
        n_ahead: pictures that may be on their way to the model; it is the length of the lane's queue.
        metrics: told how long each stage takes.
    """

    def __init__(
        self,
        prepare: Callable[[bytes], Pixels],
        decoders: WorkPool,
        lane: ModelLane,
        searches: SearchPool,
        n_ahead: int,
        metrics: Metrics,
    ) -> None:
        self._prepare = prepare
        self._decoders = decoders
        self._lane = lane
        self._searches = searches
        self._n_ahead = n_ahead
        self._passing_on = threading.Lock()
        """Held while a picture goes from the decoders to the lane, so that it counts once."""
        self._metrics = metrics

    def check_room(self) -> None:
        """Raise OverloadedError if a picture that sets out now might be turned away on its way, after work on it."""
        with self._passing_on:
            n_ahead = self._decoders.admitted + self._lane.depth
        if self._decoders.is_full or n_ahead >= self._n_ahead:
            raise OverloadedError("as many pictures as may wait are on their way to the model already; try again")

    def enter(self) -> None:
        """Take a place, before the picture is received; raises OverloadedError when there is none.

        Whoever has taken one gives the picture to `predict` or `search`, or leaves by `leave`.
        """
        self.check_room()
        self._decoders.enter()

    def leave(self) -> None:
        """Give the place back: the picture did not come."""
        self._decoders.leave()

    def predict(self, data: bytes) -> Future[Prediction]:
        """Decode, embed and classify an encoded picture that has a place."""
        predicted: Future[Prediction] = Future()
        try:
            decoded = self._decoders.submit(self._decode, data, predicted)
        except RuntimeError as error:  # the pool was closed
            self.leave()
            raise NotReadyError("the service is stopping") from error
        decoded.add_done_callback(lambda done: self._after_decoding(done, predicted))
        return predicted

    def search(self, data: bytes, snapshot: Searchable, k: int) -> Future[Found]:
        """Likewise, and find its k neighbours."""
        answer: Future[Found] = Future()
        predicted = self.predict(data)
        answer.add_done_callback(lambda done: predicted.cancel() if done.cancelled() else None)
        predicted.add_done_callback(lambda done: self._after_model(done, snapshot, k, answer))
        return answer

    def _decode(self, data: bytes, predicted: Future[Prediction]) -> None:
        pixels = self._pixels(data, predicted)
        with self._passing_on:
            self.leave()
            if pixels is not None:
                self._infer(pixels, predicted)

    def _pixels(self, data: bytes, predicted: Future[Prediction]) -> Pixels | None:
        """None where nobody waits any more, or after whoever waits was told why there are none."""
        if predicted.cancelled():
            return None
        try:
            with self._metrics.stage("decode"):
                return self._prepare(data)
        except Exception as error:
            _fail(predicted, error)
            return None

    def _infer(self, pixels: Pixels, predicted: Future[Prediction]) -> None:
        start = time.perf_counter()
        predicted.add_done_callback(lambda _done: self._metrics.took("wait", time.perf_counter() - start))
        try:
            self._lane.submit(pixels, predicted)
        except Exception as error:
            _fail(predicted, error)

    def _after_decoding(self, decoded: Future[None], predicted: Future[Prediction]) -> None:
        if decoded.cancelled():  # before it began
            self.leave()
            _fail(predicted, NotReadyError("the service is stopping"))

    def _after_model(self, predicted: Future[Prediction], snapshot: Searchable, k: int, answer: Future[Found]) -> None:
        if predicted.cancelled():
            answer.cancel()
            return
        try:
            prediction = predicted.result()
            searched = self._searches.submit(prediction.embedding, snapshot, k)
        except Exception as error:
            _fail(answer, error)
            return
        searched.add_done_callback(lambda done: _finish(done, prediction, answer))


def _finish(searched: Future[list[SearchResult]], prediction: Prediction, answer: Future[Found]) -> None:
    try:
        found = Found(prediction, searched.result())
    except Exception as error:
        _fail(answer, error)
        return
    with suppress(InvalidStateError):  # nobody waits any more
        answer.set_result(found)


def _fail(future: Future[Any], error: Exception) -> None:
    with suppress(InvalidStateError):  # nobody waits any more
        future.set_exception(error)
