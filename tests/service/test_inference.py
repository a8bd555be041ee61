"""The model lane: batches, bounds, and nobody stranded."""

import asyncio
import threading
from unittest.mock import Mock

import numpy as np
import pytest

from emotion.errors import DeviceLostError
from emotion.predictor import Predictions
from service.errors import ModelOutputError, NotReadyError, OverloadedError
from service.inference import ModelLane
from service.metrics import Metrics

TIMEOUT_S = 30


class FakeModel:
    """Embeds a picture as its first value; waits at a gate; a negative picture raises, 666 gives NaN, 13 kills."""

    def __init__(self) -> None:
        self.batches: list[list[float]] = []
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.measures_familiarity = False

    def infer(self, pixels):
        values = pixels[:, 0, 0, 0]
        self.batches.append(values.tolist())
        self.entered.set()
        assert self.gate.wait(TIMEOUT_S)
        if (values < 0).any():
            raise ValueError("a negative picture")
        if (values == 13).any():
            raise SystemExit
        rows = np.where(values == 666, np.nan, values).astype(np.float32)[:, None]
        return Predictions(rows, rows, *((values / 10, values > 3) if self.measures_familiarity else ()))


def picture(value: float) -> np.ndarray:
    return np.full((3, 2, 2), value, np.float32)


@pytest.fixture
def model() -> FakeModel:
    return FakeModel()


def run(story) -> None:
    asyncio.run(asyncio.wait_for(story, TIMEOUT_S))


def lane_for(model, queue_size: int = 8, max_batch: int = 4) -> ModelLane:
    lane = ModelLane(model, queue_size, max_batch, Metrics())
    lane.start()
    return lane


async def occupied(lane, model) -> asyncio.Task:
    """A request that the model is busy with until its gate opens."""
    task = asyncio.create_task(lane.infer(picture(0)))
    await asyncio.to_thread(model.entered.wait, TIMEOUT_S)
    return task


async def queued(lane, values) -> list[asyncio.Task]:
    tasks = [asyncio.create_task(lane.infer(picture(value))) for value in values]
    await asyncio.sleep(0)
    return tasks


@pytest.mark.parametrize("measures_familiarity", [False, True])
def test_what_waits_goes_together_and_everyone_gets_his_own(model, measures_familiarity):
    model.measures_familiarity = measures_familiarity

    async def story():
        lane = lane_for(model)
        first = await occupied(lane, model)
        tasks = await queued(lane, [1, 2, 3, 4, 5])
        assert lane.depth == 5
        model.gate.set()
        answers = await asyncio.gather(first, *tasks)
        assert [float(answer.embedding[0]) for answer in answers] == [0, 1, 2, 3, 4, 5]
        familiar = [(answer.familiarity, answer.unfamiliar) for answer in answers]
        known = [(pytest.approx(value / 10), value > 3) for value in range(6)]
        assert familiar == (known if measures_familiarity else 6 * [(None, None)])
        assert model.batches == [[0], [1, 2, 3, 4], [5]]
        lane.close()

    run(story())


def test_a_full_queue_turns_away(model):
    async def story():
        lane = lane_for(model, queue_size=2)
        first = await occupied(lane, model)
        tasks = await queued(lane, [1, 2])
        with pytest.raises(OverloadedError):
            await lane.infer(picture(3))
        model.gate.set()
        await asyncio.gather(first, *tasks)
        await lane.infer(picture(4))
        lane.close()

    run(story())


def test_only_the_guilty_picture_fails(model):
    async def story():
        lane = lane_for(model)
        first = await occupied(lane, model)
        tasks = await queued(lane, [1, -1, 666, 2])
        model.gate.set()
        answers = await asyncio.gather(first, *tasks, return_exceptions=True)
        assert [type(answer) for answer in answers[2:4]] == [ValueError, ModelOutputError]
        assert [float(answers[i].embedding[0]) for i in (0, 1, 4)] == [0, 1, 2]
        assert lane.is_alive
        lane.close()

    run(story())


def test_a_lost_gpu_is_not_tried_again_for_each_picture(model, monkeypatch):
    lost = DeviceLostError("gone")

    async def story():
        lane = lane_for(model)
        first = await occupied(lane, model)
        tasks = await queued(lane, [1, 2, 3])
        monkeypatch.setattr(model, "infer", Mock(side_effect=lost))
        model.gate.set()
        await first
        assert await asyncio.gather(*tasks, return_exceptions=True) == [lost] * 3
        assert model.infer.call_count == 1
        lane.close()

    run(story())


def test_who_has_gone_is_skipped(model):
    async def story():
        lane = lane_for(model)
        first = await occupied(lane, model)
        gone, stays = await queued(lane, [1, 2])
        gone.cancel()
        await asyncio.sleep(0)
        model.gate.set()
        await asyncio.gather(first, stays)
        assert model.batches == [[0], [2]]
        lane.close()

    run(story())


def test_closing_answers_what_waits_and_takes_no_more(model):
    async def story():
        lane = lane_for(model)
        first = await occupied(lane, model)
        tasks = await queued(lane, [1, 2])
        closing = asyncio.create_task(asyncio.to_thread(lane.close))
        model.gate.set()
        await asyncio.gather(first, *tasks, closing)
        assert not lane.is_alive
        with pytest.raises(NotReadyError):
            await lane.infer(picture(3))

    run(story())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_lane_strands_nobody(model):
    async def story():
        lane = lane_for(model, max_batch=1)
        first = await occupied(lane, model)
        tasks = await queued(lane, [13, 1, 2])
        model.gate.set()
        answers = await asyncio.gather(first, *tasks, return_exceptions=True)
        assert [type(answer) for answer in answers[1:]] == [NotReadyError] * 3
        with pytest.raises(NotReadyError):
            await lane.infer(picture(3))
        await asyncio.to_thread(lane.close)  # the thread ends in this test, not in the next one
        assert not lane.is_alive

    run(story())


def test_a_lane_that_never_started_can_be_closed(model):
    ModelLane(model, 1, 1, Metrics()).close()
