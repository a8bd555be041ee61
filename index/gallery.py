"""Where a store's pictures come from: store.json and the files that its roots and uploads hold now."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from emotion.collection import SUFFIXES, Entry, read_collection
from index.spec import IndexChoice

SCHEMA_VERSION: Final = 1
UPLOADS = "uploads"


class GalleryRoot(BaseModel):
    """A folder or manifest to index."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    """Absolute, or relative to the store: then the two can be moved together."""
    label_column: str | None = None
    """Column of a manifest that holds the labels; null for `label`."""

    @classmethod
    def given(cls, path: Path, store: Path, label_column: str | None = None) -> "GalleryRoot":
        """A root as someone typed it: an absolute path stays absolute, a relative one becomes relative to the store."""
        path = path.expanduser()
        if not path.is_absolute():
            path = Path(os.path.relpath(path.resolve(), store))
        return cls(path=path, label_column=label_column)

    def located(self, store: Path) -> Path:
        """Where the root is now."""
        return Path(os.path.normpath(store / self.path))


class StoreConfig(BaseModel):
    """The content of store.json."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = SCHEMA_VERSION
    """Of this file."""
    roots: tuple[GalleryRoot, ...]
    """The gallery."""
    index: IndexChoice = IndexChoice()


class Found(NamedTuple):
    """A file that a root or the uploads hold."""

    path: Path
    """As the catalog keeps it: absolute, or relative to the store."""
    entry: Entry
    is_upload: bool = False


def find_pictures(store: Path, config: StoreConfig) -> list[Found]:
    """Every file to consider, roots before uploads; raises DataError for a root that cannot be read."""
    found = [picture for root in config.roots for picture in _in_root(store, root)]
    return [*found, *_in_uploads(store)]


def _in_root(store: Path, root: GalleryRoot) -> Iterator[Found]:
    for entry in read_collection(root.located(store), root.label_column):
        yield Found(entry.path if root.path.is_absolute() else Path(os.path.relpath(entry.path, store)), entry)


def _in_uploads(store: Path) -> Iterator[Found]:
    """Folders below uploads/ are no labels: what was said of an upload stands in the catalog."""
    folder = store / UPLOADS
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if path.suffix.lower() in SUFFIXES and path.is_file():
            yield Found(path.relative_to(store), Entry(path), is_upload=True)
