"""The gallery's pictures as files: originals proved to be what the id says, and thumbnails kept on disk."""

import contextlib
import errno
import hashlib
import os
import tempfile
import threading
import zlib
from collections import OrderedDict
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Final, NamedTuple

from emotion.errors import PictureError, StoreReadError
from emotion.images import DEFAULT_LIMITS, decode, upright_size
from index.catalog import CatalogEntry, PictureState, picture_id
from index.store import SnapshotStore
from service.errors import ImageFileMissingError, UnknownImageError

THUMBNAIL_PX: Final = 256
THUMBNAIL_TYPE: Final = "image/jpeg"
_QUALITY = 82
_SEAL = b"crc:"
_HEAD_BYTES = 12
_OF_THE_MOMENT: Final = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
_SIZES_KEPT: Final = 100_000


class Original(NamedTuple):
    """An open file that holds what its id says; whoever asked for it closes it."""

    stream: BufferedReader
    size_bytes: int
    media_type: str


class GalleryFiles:
    """Files of a store's gallery; the only way to them is an id that the catalog knows. All calls block."""

    def __init__(self, store: SnapshotStore) -> None:
        self._catalog = store.catalog
        self._thumbnails = store.thumbnails
        self._sizes: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._one_at_a_time = threading.Lock()

    def original(self, item_id: str) -> Original:
        """A picture's own file, open: were it opened later, it might have been deleted after a look at it.

        Raises:
            UnknownImageError: no such picture, or it was deleted.
            ImageFileMissingError: the file has vanished, or holds something else now.
            StoreReadError: no file can be opened now.
        """
        entry = self._entry(item_id)
        try:
            stream = entry.path.open("rb")
            try:
                return _checked(stream, entry)
            except BaseException:
                stream.close()
                raise
        except OSError as error:
            if error.errno in _OF_THE_MOMENT:
                raise StoreReadError(f"the original cannot be opened now: {error.strerror}") from error
            raise ImageFileMissingError("the original of this picture is not there any more") from error

    def thumbnail(self, item_id: str) -> bytes:
        """A JPEG of at most THUMBNAIL_PX a side, made once; it outlives its original. Raises as `original` does."""
        self._entry(item_id)
        # The catalog knows the id, so it is hex and no path.
        kept = self._thumbnails / f"{item_id}.jpg"
        with contextlib.suppress(OSError):
            if (whole := unsealed(kept.read_bytes())) is not None:
                return whole
        content = _thumbnail(_whole(self.original(item_id)))
        with contextlib.suppress(OSError):  # a read-only or full store costs time at the next request, no more
            _write(kept, sealed(content))
        return content

    def size(self, entry: CatalogEntry) -> tuple[int, int] | None:
        """Width and height of an original, upright, in pixels; None when its file does not say. Read once."""
        with self._one_at_a_time:
            known = self._sizes.get(entry.id)
        if known is not None:
            return known
        try:
            size = upright_size(entry.path)
        except PictureError:
            return None
        with self._one_at_a_time:
            self._sizes[entry.id] = size
            while len(self._sizes) > _SIZES_KEPT:
                self._sizes.popitem(last=False)
        return size

    def check_known(self, item_id: str) -> None:
        """Raises UnknownImageError when there is no such picture, or it was deleted."""
        self._entry(item_id)

    def _entry(self, item_id: str) -> CatalogEntry:
        entry = self._catalog.get(item_id)
        if entry is None or entry.state is PictureState.DELETED:
            raise UnknownImageError("no picture of the gallery has this id")
        return entry


def sealed(content: bytes) -> bytes:
    """A thumbnail as it is kept: behind the JPEG, which ends by itself, its checksum."""
    return content + _SEAL + zlib.crc32(content).to_bytes(4, "big")


def unsealed(kept: bytes) -> bytes | None:
    """The thumbnail, or None of a damaged one: the disk was full, the power failed, a byte was changed."""
    content, seal, checksum = kept[:-8], kept[-8:-4], kept[-4:]
    if seal == _SEAL:
        return content if zlib.crc32(content).to_bytes(4, "big") == checksum else None
    # Those of earlier versions have none.
    return kept if kept.startswith(b"\xff\xd8\xff") and kept.endswith(b"\xff\xd9") else None


def _whole(original: Original) -> bytes:
    try:
        with original.stream as stream:
            return stream.read()
    except OSError as error:
        raise ImageFileMissingError("the original of this picture cannot be read any more") from error


def _thumbnail(data: bytes) -> bytes:
    try:
        picture = decode(data, min_side=THUMBNAIL_PX, limits=DEFAULT_LIMITS)
    except PictureError as error:
        raise ImageFileMissingError("the original of this picture cannot be read any more") from error
    picture.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return buffer.getvalue()


def _checked(stream: BufferedReader, entry: CatalogEntry) -> Original:
    """The stream at its beginning, if it has the bytes that gave the id."""
    media_type = _media_type(stream.read(_HEAD_BYTES))
    stream.seek(0)
    if media_type is None or not _holds(stream, entry):
        raise ImageFileMissingError("the file of this picture was changed after the index was built")
    return Original(stream, entry.size_bytes, media_type)


def _media_type(head: bytes) -> str | None:
    """From the content; a suffix is only a name."""
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    return "image/webp" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else None


def _holds(stream: BufferedReader, entry: CatalogEntry) -> bool:
    """Whether the file still has those bytes; they are read only if size or time raise doubt."""
    stat = os.fstat(stream.fileno())
    if stat.st_size != entry.size_bytes:
        return False
    if stat.st_mtime_ns == entry.mtime_ns:
        return True
    digest = hashlib.file_digest(stream, "sha256").hexdigest()
    stream.seek(0)
    return picture_id(digest) == entry.id


def _write(path: Path, content: bytes) -> None:
    """In one step, so that no reader sees half a picture; no fsync: it can be made again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, staged = tempfile.mkstemp(prefix=".", suffix=".new", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        Path(staged).replace(path)
    except OSError:
        Path(staged).unlink(missing_ok=True)
        raise
