"""The client for asyncio: the methods of `Client`, awaited."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Unpack

from feelalike import calls
from feelalike.calls import Filters, Wish
from feelalike.errors import NoAnswerError, UnavailableError
from feelalike.models import (
    AddedItem,
    Classification,
    ClassifiedItem,
    DetailsAnswer,
    Embedding,
    GalleryMap,
    GalleryPicture,
    Info,
    Job,
    Live,
    MoodAnswer,
    NeighboursAnswer,
    Ready,
    Rollback,
    SearchAnswer,
    SearchedItem,
)
from feelalike.pictures import PictureSource, read_picture
from feelalike.sending import AsyncSender
from feelalike.waiting import Deadline, succeeded


class AsyncClient(AsyncSender):
    """Asks one service; may be shared by tasks. Arguments, answers and errors are those of `Client`."""

    async def classify(self, picture: PictureSource) -> Classification:
        """Which emotions a picture is likely to evoke."""
        return await self._send(calls.classify(await asyncio.to_thread(read_picture, picture)))

    async def classify_many(self, pictures: Iterable[PictureSource]) -> AsyncIterator[ClassifiedItem]:
        """Of any number of pictures, in their order; one that is refused has its error and ends nothing.

        Sent in batches that the service takes, when their answers are asked for. A file that cannot be read raises
        OSError when its turn comes.
        """
        async for item in self._items(pictures, calls.classify_batch, ClassifiedItem):
            yield item

    async def search(self, picture: PictureSource, k: int | None = None, **wish: Unpack[Wish]) -> SearchAnswer:
        """The k pictures of the gallery that feel most like one; the service's own k by default."""
        return await self._send(calls.search(await asyncio.to_thread(read_picture, picture), k, wish))

    async def search_many(
        self, pictures: Iterable[PictureSource], k: int | None = None, **wish: Unpack[Wish]
    ) -> AsyncIterator[SearchedItem]:
        """Likewise for any number of pictures, as `classify_many`."""
        async for item in self._items(pictures, lambda batch: calls.search_batch(batch, k, wish), SearchedItem):
            yield item

    async def search_mood(self, mood: str, k: int | None = None, **filters: Unpack[Filters]) -> MoodAnswer:
        """The k pictures most typical of an emotion."""
        return await self._send(calls.search_mood(mood, k, filters))

    async def neighbours(self, item_id: str, k: int | None = None, **wish: Unpack[Wish]) -> NeighboursAnswer:
        """The k pictures of the gallery that feel most like one of them, itself left out."""
        return await self._send(calls.neighbours(item_id, k, wish))

    async def details(self, item_ids: Sequence[str]) -> DetailsAnswer:
        """All that the model said of some pictures of the gallery, and their sizes."""
        return await self._send(calls.details(item_ids))

    async def gallery_map(self, limit: int | None = None, item_ids: Sequence[str] = ()) -> GalleryMap:
        """The gallery laid flat, pictures that feel alike beside each other; a sample of more than the limit."""
        return await self._send(calls.gallery_map(limit, item_ids))

    async def embed(self, picture: PictureSource) -> Embedding:
        """The vector that searches compare."""
        return await self._send(calls.embed(await asyncio.to_thread(read_picture, picture)))

    async def add(
        self,
        picture: PictureSource,
        *,
        label: str | None = None,
        metadata: Mapping[str, str] | None = None,
        external_id: str | None = None,
    ) -> AddedItem:
        """Put a picture into the gallery; found by every search when this returns. The same bytes are one entry."""
        answer = await self._send(
            calls.add([await asyncio.to_thread(read_picture, picture)], label, metadata, external_id)
        )
        return answer.items[0]

    async def add_many(
        self,
        pictures: Iterable[PictureSource],
        *,
        label: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> list[AddedItem]:
        """Likewise any number of pictures, all with the same label; one that is refused has its error.

        After an error call it again: what the gallery has by then is not added twice.
        """
        items = self._items(pictures, lambda batch: calls.add(batch, label, metadata), AddedItem)
        return [item async for item in items]

    async def pictures(self, page_size: int = 100) -> AsyncIterator[GalleryPicture]:
        """All pictures of the gallery in the order of their ids; one added or deleted meanwhile shifts no other."""
        cursor: str | None = ""
        while cursor is not None:
            page = await self._send(calls.page(cursor, page_size))
            for picture in page.pictures:
                yield picture
            cursor = page.next_cursor

    async def find(self, external_id: str) -> GalleryPicture | None:
        """The picture of the gallery that its owner calls by this name."""
        page = await self._send(calls.find(external_id))
        return next(iter(page.pictures), None)

    async def delete(self, item_id: str) -> None:
        """Take a picture out of the gallery for good; raises NotFoundError for one that is not there."""
        await self._send(calls.delete(item_id))

    async def picture(self, item_id: str) -> bytes:
        """The gallery picture's own file."""
        return await self._send(calls.picture(item_id))

    async def thumbnail(self, item_id: str) -> bytes:
        """A JPEG of at most 256 pixels a side."""
        return await self._send(calls.thumbnail(item_id))

    async def start_rebuild(self) -> Job:
        """Have the gallery scanned and the index made anew; raises ConflictError while that goes on already."""
        return await self._send(calls.start_rebuild())

    async def start_compact(self) -> Job:
        """Have what was added and deleted folded into the index, without a model; raises ConflictError likewise."""
        return await self._send(calls.start_compact())

    async def job(self, job_id: str) -> Job:
        """How far a rebuild or a compaction is."""
        return await self._send(calls.job(job_id))

    async def jobs(self) -> list[Job]:
        """The jobs that the service remembers, the newest first."""
        return (await self._send(calls.jobs())).jobs

    async def cancel_job(self, job_id: str) -> Job:
        """End a job; what a rebuild did so far is kept for the next one."""
        return await self._send(calls.cancel_job(job_id))

    async def wait_for(
        self,
        job_id: str,
        on_progress: Callable[[Job], object] | None = None,
        *,
        timeout_s: float | None = None,
        poll_s: float = 0.5,
    ) -> Job:
        """Wait for the end of a job and tell every change of it.

        Raises:
            JobError: it failed or was cancelled.
            WaitTimeoutError: it goes on for longer.
        """
        deadline, before = Deadline(timeout_s), None
        while True:
            job = await self.job(job_id)
            if on_progress is not None and job != before:
                on_progress(job)
            if job.is_over:
                return succeeded(job)
            before = job
            await self._sleep(deadline.wait_s(poll_s, f"the job {job_id}"))

    async def rebuild(
        self,
        on_progress: Callable[[Job], object] | None = None,
        *,
        timeout_s: float | None = None,
        poll_s: float = 0.5,
    ) -> Job:
        """Start a rebuild and wait for its end; raises as `start_rebuild` and `wait_for` do."""
        job = await self.start_rebuild()
        return await self.wait_for(job.id, on_progress, timeout_s=timeout_s, poll_s=poll_s)

    async def compact(
        self,
        on_progress: Callable[[Job], object] | None = None,
        *,
        timeout_s: float | None = None,
        poll_s: float = 0.5,
    ) -> Job:
        """Start a compaction and wait for its end; raises as `start_compact` and `wait_for` do."""
        job = await self.start_compact()
        return await self.wait_for(job.id, on_progress, timeout_s=timeout_s, poll_s=poll_s)

    async def rollback(self) -> Rollback:
        """Publish the index before the current one again."""
        return await self._send(calls.rollback())

    async def info(self) -> Info:
        """Facts of the model and the index."""
        return await self._send(calls.info())

    async def live(self) -> Live:
        """Whether the process works; asked once, without a second attempt."""
        return await self._send(calls.live())

    async def ready(self) -> Ready:
        """Whether searches are answered; asked once, raises UnavailableError where they are not."""
        return await self._send(calls.ready())

    async def wait_until_ready(self, timeout_s: float = 60.0, poll_s: float = 0.5) -> Ready:
        """Wait until searches are answered, as after starting the service; raises WaitTimeoutError."""
        deadline = Deadline(timeout_s)
        while True:
            try:
                return await self.ready()
            except (NoAnswerError, UnavailableError) as error:
                await self._sleep(deadline.wait_s(poll_s, f"the service ({error})"))
