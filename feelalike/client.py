"""The client."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from feelalike.sending import Sender
from feelalike.waiting import Deadline, succeeded


class Client(Sender):
    """Asks one service; may be shared by threads. Every method may raise a ClientError.

    Args:
        base_url: where the service is, with the path below which a proxy has it.
        token: the read token, where the service has one.
        admin_token: for what changes the gallery or the index; reads too, where there is no `token`.
        timeout_s: of connecting, and of every wait for the next bytes.
        retries: how often and how long, where the service is busy or the connection breaks.
        transport: httpx2's, for certificates and proxies of your own.
        sleep: how to wait.
    """

    def classify(self, picture: PictureSource) -> Classification:
        """Which emotions a picture is likely to evoke."""
        return self._send(calls.classify(read_picture(picture)))

    def classify_many(self, pictures: Iterable[PictureSource]) -> Iterator[ClassifiedItem]:
        """Of any number of pictures, in their order; one that is refused has its error and ends nothing.

        Sent in batches that the service takes, when their answers are asked for. A file that cannot be read raises
        OSError when its turn comes.
        """
        yield from self._items(pictures, calls.classify_batch, ClassifiedItem)

    def search(self, picture: PictureSource, k: int | None = None, **wish: Unpack[Wish]) -> SearchAnswer:
        """The k pictures of the gallery that feel most like one; the service's own k by default."""
        return self._send(calls.search(read_picture(picture), k, wish))

    def search_many(
        self, pictures: Iterable[PictureSource], k: int | None = None, **wish: Unpack[Wish]
    ) -> Iterator[SearchedItem]:
        """Likewise for any number of pictures, as `classify_many`."""
        yield from self._items(pictures, lambda batch: calls.search_batch(batch, k, wish), SearchedItem)

    def search_mood(self, mood: str, k: int | None = None, **filters: Unpack[Filters]) -> MoodAnswer:
        """The k pictures most typical of an emotion."""
        return self._send(calls.search_mood(mood, k, filters))

    def neighbours(self, item_id: str, k: int | None = None, **wish: Unpack[Wish]) -> NeighboursAnswer:
        """The k pictures of the gallery that feel most like one of them, itself left out."""
        return self._send(calls.neighbours(item_id, k, wish))

    def details(self, item_ids: Sequence[str]) -> DetailsAnswer:
        """All that the model said of some pictures of the gallery, and their sizes."""
        return self._send(calls.details(item_ids))

    def gallery_map(self, limit: int | None = None, item_ids: Sequence[str] = ()) -> GalleryMap:
        """The gallery laid flat, pictures that feel alike beside each other; a sample of more than the limit."""
        return self._send(calls.gallery_map(limit, item_ids))

    def embed(self, picture: PictureSource) -> Embedding:
        """The vector that searches compare."""
        return self._send(calls.embed(read_picture(picture)))

    def add(
        self,
        picture: PictureSource,
        *,
        label: str | None = None,
        metadata: Mapping[str, str] | None = None,
        external_id: str | None = None,
    ) -> AddedItem:
        """Put a picture into the gallery; found by every search when this returns. The same bytes are one entry."""
        return self._send(calls.add([read_picture(picture)], label, metadata, external_id)).items[0]

    def add_many(
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
        return list(items)

    def pictures(self, page_size: int = 100) -> Iterator[GalleryPicture]:
        """All pictures of the gallery in the order of their ids; one added or deleted meanwhile shifts no other."""
        cursor: str | None = ""
        while cursor is not None:
            page = self._send(calls.page(cursor, page_size))
            yield from page.pictures
            cursor = page.next_cursor

    def find(self, external_id: str) -> GalleryPicture | None:
        """The picture of the gallery that its owner calls by this name."""
        return next(iter(self._send(calls.find(external_id)).pictures), None)

    def delete(self, item_id: str) -> None:
        """Take a picture out of the gallery for good; raises NotFoundError for one that is not there."""
        self._send(calls.delete(item_id))

    def picture(self, item_id: str) -> bytes:
        """The gallery picture's own file."""
        return self._send(calls.picture(item_id))

    def thumbnail(self, item_id: str) -> bytes:
        """A JPEG of at most 256 pixels a side."""
        return self._send(calls.thumbnail(item_id))

    def start_rebuild(self) -> Job:
        """Have the gallery scanned and the index made anew; raises ConflictError while that goes on already."""
        return self._send(calls.start_rebuild())

    def start_compact(self) -> Job:
        """Have what was added and deleted folded into the index, without a model; raises ConflictError likewise."""
        return self._send(calls.start_compact())

    def job(self, job_id: str) -> Job:
        """How far a rebuild or a compaction is."""
        return self._send(calls.job(job_id))

    def jobs(self) -> list[Job]:
        """The jobs that the service remembers, the newest first."""
        return self._send(calls.jobs()).jobs

    def cancel_job(self, job_id: str) -> Job:
        """End a job; what a rebuild did so far is kept for the next one."""
        return self._send(calls.cancel_job(job_id))

    def wait_for(
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
            job = self.job(job_id)
            if on_progress is not None and job != before:
                on_progress(job)
            if job.is_over:
                return succeeded(job)
            before = job
            self._sleep(deadline.wait_s(poll_s, f"the job {job_id}"))

    def rebuild(
        self,
        on_progress: Callable[[Job], object] | None = None,
        *,
        timeout_s: float | None = None,
        poll_s: float = 0.5,
    ) -> Job:
        """Start a rebuild and wait for its end; raises as `start_rebuild` and `wait_for` do."""
        return self.wait_for(self.start_rebuild().id, on_progress, timeout_s=timeout_s, poll_s=poll_s)

    def compact(
        self,
        on_progress: Callable[[Job], object] | None = None,
        *,
        timeout_s: float | None = None,
        poll_s: float = 0.5,
    ) -> Job:
        """Start a compaction and wait for its end; raises as `start_compact` and `wait_for` do."""
        return self.wait_for(self.start_compact().id, on_progress, timeout_s=timeout_s, poll_s=poll_s)

    def rollback(self) -> Rollback:
        """Publish the index before the current one again."""
        return self._send(calls.rollback())

    def info(self) -> Info:
        """Facts of the model and the index."""
        return self._send(calls.info())

    def live(self) -> Live:
        """Whether the process works; asked once, without a second attempt."""
        return self._send(calls.live())

    def ready(self) -> Ready:
        """Whether searches are answered; asked once, raises UnavailableError where they are not."""
        return self._send(calls.ready())

    def wait_until_ready(self, timeout_s: float = 60.0, poll_s: float = 0.5) -> Ready:
        """Wait until searches are answered, as after starting the service; raises WaitTimeoutError."""
        deadline = Deadline(timeout_s)
        while True:
            try:
                return self.ready()
            except (NoAnswerError, UnavailableError) as error:
                self._sleep(deadline.wait_s(poll_s, f"the service ({error})"))
