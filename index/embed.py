"""Pictures to vectors: decoding in a small pool, overlapped with inference in batches, several at a time."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np

from emotion.arrays import PixelBatch, Pixels
from emotion.errors import PictureError
from emotion.predictor import Predictions
from emotion.taxonomy import Taxonomy
from index.catalog import CatalogEntry
from index.delta import Made
from index.manifest import Identity
from index.progress import Skipped
from index.rows import GalleryRows

BATCH_SIZE: Final = 8
N_DECODERS: Final = min(8, os.cpu_count() or 1)
N_STREAMS: Final = min(4, os.cpu_count() or 1)
"""Batches inferred at a time, each on its share of the cores. One on all of them waits at the end of every layer for
whichever core is decoding, a tenth of the time on two cores. More than four would mostly take memory."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@runtime_checkable
class Embedder(Identity, Protocol):
    """What a build needs of a model; emotion.predictor.Predictor is one."""

    @property
    def taxonomy(self) -> Taxonomy:
        """The label set, in the order of the probabilities."""
        ...

    def prepare(self, source: bytes | Path, name: str = "picture") -> Pixels:
        """Decode and preprocess; called by several threads."""
        ...

    def infer(self, pixels: PixelBatch) -> Predictions:
        """Embed and classify; called by several threads, and free to let them wait for each other."""
        ...


def made_with(embedder: Embedder) -> Made:
    """Whose vectors an embedder's can be compared with."""
    return Made(embedder.model_id, embedder.precision.value, embedder.dim, len(embedder.taxonomy.names))


class Embedded(NamedTuple):
    """What became of one batch."""

    rows: GalleryRows
    """May be empty."""
    skipped: list[Skipped]


class _Prepared(NamedTuple):
    picture: CatalogEntry
    file: Path
    result: Pixels | str
    """The pixels, or why there are none."""


def embed_pictures(
    pictures: Sequence[CatalogEntry], store: Path, embedder: Embedder, batch_size: int = BATCH_SIZE
) -> Generator[Embedded, None, None]:
    """Embed pictures in order, batch by batch; memory holds a few batches of pixels, whatever the gallery's size.

    A picture that cannot be decoded is skipped, never fatal. Close the generator when leaving early.
    """

    def prepare(picture: CatalogEntry) -> _Prepared:
        return _prepare(picture, store / picture.path, embedder)

    def infer(batch: list[_Prepared]) -> Embedded:
        return _infer(batch, embedder)

    with (
        closing(_ahead(prepare, pictures, N_DECODERS, (N_STREAMS + 1) * batch_size)) as prepared,
        closing(_ahead(infer, _batches(prepared, batch_size), N_STREAMS, N_STREAMS + 1)) as embedded,
    ):
        yield from embedded


def _batches(prepared: Iterable[_Prepared], size: int) -> Generator[list[_Prepared], None, None]:
    """The last may be smaller."""
    waiting = iter(prepared)
    while batch := list(islice(waiting, size)):
        yield batch


def _ahead(
    work: Callable[[_Item], _Result], items: Iterable[_Item], n_threads: int, look_ahead: int
) -> Generator[_Result, None, None]:
    """Results in order, worked out by a pool; at most `look_ahead` items are taken before a result is wanted."""
    pool = ThreadPoolExecutor(n_threads)
    waiting: deque[Future[_Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) >= look_ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _prepare(picture: CatalogEntry, file: Path, embedder: Embedder) -> _Prepared:
    try:
        pixels = embedder.prepare(file)
        stat = file.stat()
    except PictureError as error:
        return _Prepared(picture, file, str(error))
    except Exception as error:  # a decoder's bug on one odd file must not cost the gallery; the reason is listed
        return _Prepared(picture, file, f"{type(error).__name__}: {error}")
    if (stat.st_size, stat.st_mtime_ns) != (picture.size_bytes, picture.mtime_ns):
        # Its id is the hash of other bytes; the next scan sees the change and takes it.
        return _Prepared(picture, file, "changed while the index was being built; build again")
    return _Prepared(picture, file, pixels)


def _infer(batch: list[_Prepared], embedder: Embedder) -> Embedded:
    skipped = [Skipped(str(one.file), one.result) for one in batch if isinstance(one.result, str)]
    usable = [(one, one.result) for one in batch if not isinstance(one.result, str)]
    if not usable:
        return Embedded(GalleryRows.empty(embedder.dim, len(embedder.taxonomy.names)), skipped)
    predictions = embedder.infer(np.stack([pixels for _, pixels in usable]))
    finite = np.isfinite(predictions.embeddings).all(axis=1) & np.isfinite(predictions.probabilities).all(axis=1)
    ids = tuple(usable[i][0].picture.id for i in np.flatnonzero(finite))
    not_finite = [str(usable[i][0].file) for i in np.flatnonzero(~finite)]
    skipped += [Skipped(file, "the model gave numbers that are not finite") for file in not_finite]
    return Embedded(GalleryRows(ids, predictions.embeddings[finite], predictions.probabilities[finite]), skipped)
