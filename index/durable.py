"""Writes that survive a power cut: content first, then the name that leads to it, then the folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from emotion.errors import StoreWriteError


def fsync(path: Path) -> None:
    """Force a file, or a folder's list of names, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomic(path: Path, content: bytes) -> None:
    """Replace a file in one step: a reader sees the old content or the new, never a part or none."""
    staged = path.with_name(f".{path.name}.new")
    try:
        with staged.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        staged.replace(path)
    except OSError:
        staged.unlink(missing_ok=True)  # half a file on a full disk is what keeps it full
        raise
    fsync(path.parent)


@contextmanager
def written_to(store: Path) -> Iterator[None]:
    """Inside, what the system says against a write is a StoreWriteError that names the file."""
    try:
        yield
    except OSError as error:
        raise StoreWriteError(f"cannot write to the store {store}: {in_words(error)}") from error


def in_words(error: OSError) -> str:
    """What the system said, and of which file."""
    reason = error.strerror or str(error)
    return f"{reason}: {error.filename}" if error.filename else reason
