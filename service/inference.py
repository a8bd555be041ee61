"""The model lane: a bounded queue and one thread that runs the model on whatever is waiting.

Batches form by themselves: while the model runs, pictures gather, and the next run takes them together. There is no
artificial delay, so a lone picture never waits for company.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from typing import NamedTuple, Protocol

import numpy as np

from emotion.arrays import Embedding, PixelBatch, Pixels, Probabilities
from emotion.errors import DeviceLostError
from emotion.predictor import Predictions
from service.errors import ModelOutputError, NotReadyError, OverloadedError
from service.metrics import Metrics

_log = logging.getLogger("feelalike.lane")


class Model(Protocol):
    """What the lane runs; emotion.predictor.Predictor is one."""

    def infer(self, pixels: PixelBatch) -> Predictions:
        """Embed and classify prepared pictures."""
        ...


class Prediction(NamedTuple):
    """What the model says of one picture."""

    embedding: Embedding
    """L2-normalised."""
    probabilities: Probabilities
    """In the taxonomy's order."""
    familiarity: float | None = None
    """Share of ordinary pictures that are as far from the training pictures; None where the model cannot say."""
    unfamiliar: bool | None = None


class _Waiting(NamedTuple):
    pixels: Pixels
    answer: Future[Prediction]


class ModelLane:
    """Runs the model, one batch at a time.

    Args:
        model: called by the lane's thread only.
        queue_size: pictures that may wait; more are refused.
        max_batch: pictures a run takes at most.
        metrics: told of every run.
    """

    def __init__(self, model: Model, queue_size: int, max_batch: int, metrics: Metrics) -> None:
        self._model = model
        self._queue_size = queue_size
        self._max_batch = max_batch
        self._metrics = metrics
        self._waiting: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="model-lane", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def depth(self) -> int:
        """Pictures waiting."""
        return len(self._waiting)

    @property
    def is_alive(self) -> bool:
        """Whether pictures are taken and answered."""
        return self._thread.is_alive() and not self._closing

    async def infer(self, pixels: Pixels) -> Prediction:
        """Embed and classify a prepared picture; a caller that is cancelled gives up its place.

        Raises:
            OverloadedError: the queue is full.
            NotReadyError: the lane is closed or died.
            ModelOutputError: the model gave numbers that are not finite.
            DeviceMemoryError, DeviceLostError: the GPU could not run it.
        """
        answer: Future[Prediction] = Future()
        self.submit(pixels, answer)
        return await asyncio.wrap_future(answer)

    def submit(self, pixels: Pixels, answer: Future[Prediction]) -> None:
        """Likewise from any thread: the lane's thread gives the answer, unless it is cancelled before its turn.

        Raises:
            OverloadedError: the queue is full.
            NotReadyError: the lane is closed or died.
        """
        with self._changed:
            if not self.is_alive:
                raise NotReadyError("the model is not running")
            if len(self._waiting) >= self._queue_size:
                raise OverloadedError(f"{self._queue_size} pictures are waiting for the model already; try again")
            self._waiting.append(_Waiting(pixels, answer))
            self._changed.notify()

    def close(self) -> None:
        """Take no more, answer what is waiting, end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join()

    def _work(self) -> None:
        batch: list[_Waiting] = []
        try:
            while batch := self._next_batch():
                self._answer(batch)
        finally:
            # Also reached when the thread dies of something that is no Exception: nobody may wait for ever.
            with self._changed:
                self._closing = True
                stranded = [*batch, *self._waiting]
                self._waiting.clear()
            for one in stranded:
                if not one.answer.done():
                    one.answer.set_exception(NotReadyError("the model stopped"))

    def _next_batch(self) -> list[_Waiting]:
        """What is waiting now, without those whose caller has gone; empty when the lane is to end."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return []
                taken = [self._waiting.popleft() for _ in range(min(self._max_batch, len(self._waiting)))]
            if batch := [one for one in taken if one.answer.set_running_or_notify_cancel()]:
                return batch

    def _answer(self, batch: Sequence[_Waiting]) -> None:
        try:
            with self._metrics.stage("model"):
                predictions = self._model.infer(_stacked(batch))
            self._metrics.batch(len(batch))
        except Exception as error:
            self._answer_failed(batch, error)
            return
        found = [_row(predictions, row) for row in range(len(batch))]
        # Looked at before the first answer: numpy would let other threads in between, and each picture search alone.
        are_finite = [all(np.isfinite(part).all() for part in prediction if part is not None) for prediction in found]
        for one, prediction, is_finite in zip(batch, found, are_finite, strict=True):
            if is_finite:
                one.answer.set_result(prediction)
            else:
                one.answer.set_exception(ModelOutputError("the model gave numbers that are not finite"))

    def _answer_failed(self, batch: Sequence[_Waiting], error: Exception) -> None:
        """One picture may have spoilt the run for all: try them one by one."""
        if len(batch) == 1 or isinstance(error, DeviceLostError):
            for one in batch:
                one.answer.set_exception(error)
            return
        _log.warning("a batch of %d failed (%r); running its pictures one by one", len(batch), error)
        for one in batch:
            self._answer([one])


def _stacked(batch: Sequence[_Waiting]) -> PixelBatch:
    """One picture is a batch as it is, without a copy."""
    return batch[0].pixels[None] if len(batch) == 1 else np.stack([one.pixels for one in batch])


def _row(predictions: Predictions, row: int) -> Prediction:
    embedding, probabilities = predictions.embeddings[row], predictions.probabilities[row]
    if predictions.familiarity is None or predictions.unfamiliar is None:
        return Prediction(embedding, probabilities)
    return Prediction(embedding, probabilities, float(predictions.familiarity[row]), bool(predictions.unfamiliar[row]))
