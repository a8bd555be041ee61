"""Adding and removing single pictures while everything else goes on.

Neither waits for a build: what orders them is a transaction of the catalog, not the store's file lock, which a build
holds for minutes. A build leaves alone what comes meanwhile: an added picture stays in the delta until a version holds
it, and a deleted one is hidden by its state whatever version holds it.
"""

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from emotion.errors import ExternalIdTakenError, PictureError, PictureFault, StoreError, StoreWriteError
from index.catalog import Catalog, CatalogEntry, PictureState, picture_id
from index.delta import AddedRow, Made, insert_row
from index.durable import fsync, write_atomic, written_to
from index.embed import Embedder
from index.gallery import UPLOADS
from index.store import SnapshotStore

_SIGNATURES: Final = ((b"\xff\xd8\xff", ".jpg"), (b"\x89PNG\r\n\x1a\n", ".png"), (b"RIFF", ".webp"))


@dataclass(frozen=True)
class NewPicture:
    """An encoded picture and what its owner says of it."""

    data: bytes
    label: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    external_id: str | None = None

    @cached_property
    def sha256(self) -> str:
        """Of the bytes."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def id(self) -> str:
        """What the picture is called from now on."""
        return picture_id(self.sha256)


class Added(NamedTuple):
    """What became of a picture."""

    entry: CatalogEntry
    created: bool
    """False: the gallery had it already, and keeps what it said of it."""


def embed_picture(embedder: Embedder, new: NewPicture, name: str = "picture") -> AddedRow:
    """What the model says of a picture; raises PictureError for one that cannot be used."""
    predictions = embedder.infer(embedder.prepare(new.data, name)[None])
    vector, probabilities = predictions.embeddings[0], predictions.probabilities[0]
    if not (np.isfinite(vector).all() and np.isfinite(probabilities).all()):
        raise StoreError(f"the model gave numbers that are not finite for {name}")
    return AddedRow(new.id, vector, probabilities)


def add_picture(store: SnapshotStore, new: NewPicture, row: AddedRow, made: Made) -> Added:
    """Put a picture into the gallery; on disk when this returns. One deleted before comes back as a new one.

    The file is in place before the catalog knows it, so that no picture of the catalog lacks its file. Killed in
    between, the file stays; builds leave it out, for nobody was told that it was added.

    Args:
        store: with the gallery; it need not be locked.
        new: decoded already, by whoever made the row.
        row: what the model said.
        made: which model.

    Raises:
        ExternalIdTakenError: another picture has the external id.
        StoreWriteError: the store cannot be written.
    """
    try:
        with written_to(store.root), store.catalog.writing() as connection:
            known = _entry(store.catalog, connection, new.id)
            if known is not None and known.state is PictureState.ACTIVE:
                insert_row(connection, made, row)  # it may be active and yet in no version of this model
                return Added(known, created=False)
            _check_external_id(connection, new)
            _insert(connection, new, _write_upload(store, new))
            insert_row(connection, made, row)
            entry = _entry(store.catalog, connection, new.id)
    except StoreWriteError:
        _withdraw(store, new.id)
        raise
    if entry is None:
        raise StoreError(f"the catalog of {store.root} does not hold the picture that it was given")
    return Added(entry, created=True)


def remove_picture(store: SnapshotStore, item_id: str) -> bool:
    """Take a picture out of the gallery for good; False when it has none of this id.

    An added picture's file goes too; an original in the gallery's own folder stays, and stays left out.
    """
    with store.catalog.writing() as connection:
        gone = connection.execute(
            "UPDATE pictures SET state = 'deleted', label = NULL, metadata = '{}', external_id = NULL "
            "WHERE id = ? AND state != 'deleted'",
            (item_id,),
        )
        connection.execute("DELETE FROM added WHERE id = ?", (item_id,))
    if gone.rowcount == 0:
        return False
    with contextlib.suppress(StoreWriteError):  # it is gone all the same; the next build erases its files
        erase_files(store, item_id)
    return True


def erase_files(store: SnapshotStore, *item_ids: str) -> None:
    """Remove what the store keeps of deleted pictures, unless they were added again meanwhile; without ids, of all.

    Called after the deletion, so that a kill in between leaves files and not a picture without one; a build calls it
    again for those.
    """
    query = "SELECT id, path FROM pictures WHERE state = 'deleted'"
    chosen = (" AND id IN (SELECT value FROM json_each(?))", json.dumps(item_ids)) if item_ids else ("",)
    with written_to(store.root), store.catalog.writing() as connection:  # no picture can come back while its file goes
        for item_id, path in connection.execute(query + chosen[0], chosen[1:]):
            for file in _kept_files(store, item_id, Path(path)):
                file.unlink(missing_ok=True)
        if not item_ids:
            for half_written in store.uploads.glob("*/.*.new"):
                half_written.unlink(missing_ok=True)


def _withdraw(store: SnapshotStore, item_id: str) -> None:
    """Remove the file of a picture for which the catalog found no room: it may be what fills the disk."""
    with contextlib.suppress(StoreError, OSError), store.catalog.writing() as connection:
        entry = _entry(store.catalog, connection, item_id)
        if entry is None or entry.state is PictureState.DELETED:
            for _, suffix in _SIGNATURES:
                (store.uploads / item_id[:2] / (item_id + suffix)).unlink(missing_ok=True)


def _kept_files(store: SnapshotStore, item_id: str, path: Path) -> Iterator[Path]:
    """What the store may hold of a picture; its copy too, where the catalog names an original elsewhere."""
    if path.parts[0] == UPLOADS:
        yield store.root / path
    for _, suffix in _SIGNATURES:
        yield store.uploads / item_id[:2] / (item_id + suffix)
    yield store.thumbnails / f"{item_id}.jpg"


def _entry(catalog: Catalog, connection: sqlite3.Connection, item_id: str) -> CatalogEntry | None:
    row = connection.execute("SELECT * FROM pictures WHERE id = ?", (item_id,)).fetchone()
    return None if row is None else catalog.entry(row)


def _check_external_id(connection: sqlite3.Connection, new: NewPicture) -> None:
    query = "SELECT id FROM pictures WHERE external_id = ? AND id != ?"
    taken = connection.execute(query, (new.external_id, new.id)).fetchone()
    if taken is not None:
        raise ExternalIdTakenError(f"the external id {new.external_id!r} belongs to picture {taken['id']} already")


def _write_upload(store: SnapshotStore, new: NewPicture) -> Path:
    folder = store.uploads / new.id[:2]
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        fsync(store.root)
        fsync(store.uploads)
    file = folder / (new.id + _suffix(new.data))
    write_atomic(file, new.data)
    return file


def _insert(connection: sqlite3.Connection, new: NewPicture, file: Path) -> None:
    stat = file.stat()
    path = str(Path(UPLOADS, file.parent.name, file.name))
    said = (new.label, json.dumps(dict(new.metadata)), new.external_id)
    facts = (new.sha256, stat.st_size, stat.st_mtime_ns, PictureState.ACTIVE.value)
    connection.execute(
        "INSERT OR REPLACE INTO pictures (id, path, label, metadata, external_id, sha256, size_bytes, mtime_ns, state) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (new.id, path, *said, *facts),
    )


def _suffix(data: bytes) -> str:
    """From the content: a client's name for the file is never looked at."""
    for signature, suffix in _SIGNATURES:
        if data.startswith(signature):
            return suffix
    raise PictureError(PictureFault.UNSUPPORTED_FORMAT, "the picture is not a JPEG, PNG or WebP picture")
