"""Several pictures in one request: each gets its answer or its error, and none waits for a queue of its own making."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from fastapi import Request

from emotion.errors import FeelalikeError
from service.deps import Services
from service.errors import INTERNAL, answer_for
from service.forms import FormContent
from service.inference import Prediction
from service.live_schemas import ItemProblem
from service.problems import INTERNAL_DETAIL
from service.uploads import read_form

P = TypeVar("P")
T = TypeVar("T")

_log = logging.getLogger("feelalike.batch")


async def receive(request: Request, parts: Services, text_fields: frozenset[str] = frozenset()) -> FormContent:
    """The form of a request; call it inside `parts.batches.admission()`."""
    settings = parts.settings
    with parts.metrics.stage("receive"):
        return await read_form(
            request,
            text_fields=text_fields,
            max_files=settings.max_batch_pictures,
            max_bytes=settings.max_batch_bytes,
            timeout_s=settings.upload_timeout_s,
        )


async def predict_one(parts: Services, data: bytes) -> Prediction:
    """Decode and embed a picture; raises as /classify would."""
    with parts.metrics.stage("decode"):
        pixels = await parts.decoders.run(parts.predictor.prepare, data)
    with parts.metrics.stage("wait"):
        return await parts.lane.infer(pixels)


async def each(parts: Services, pictures: Sequence[P], work: Callable[[P], Awaitable[T]]) -> list[T | ItemProblem]:
    """Do something with every picture, as many at a time as the model takes at once."""
    at_a_time = asyncio.Semaphore(parts.settings.batch_limit(parts.predictor.runtime.device))

    async def one(picture: P) -> T | ItemProblem:
        async with at_a_time:
            try:
                return await work(picture)
            except FeelalikeError as error:
                return item_problem(error)

    return await asyncio.gather(*(one(picture) for picture in pictures))


def item_problem(error: FeelalikeError) -> ItemProblem:
    """An error as it stands beside the other pictures' answers."""
    answer, detail = answer_for(error), str(error)
    if answer is INTERNAL:
        _log.error("%s", error, exc_info=error)
        detail = INTERNAL_DETAIL
    return ItemProblem(title=answer.title, status=answer.status, detail=detail, code=answer.code)
