"""Every picture of the gallery, in SQLite: the source of truth for what an id means.

Rows are never removed: a snapshot from before may still name a picture whose original has vanished, and a picture
that was deleted on purpose must not come back with the next scan.
"""

import json
import os
import sqlite3
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NamedTuple

from emotion.errors import StoreError, StoreReadError, StoreWriteError
from index.schema import SCHEMA_VERSION, migrate, read_as_current, schema_of

ID_LENGTH: Final = 32
_BUSY_TIMEOUT_S = 10.0
_MAX_IDLE: Final = 8
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
RESTORE: Final = "restore it from a backup, as docs/operations.md says"

# What was said of an upload stays: it may have been deleted and added again, with another label, since the scan.
_UPSERT = """
INSERT INTO pictures (id, path, label, metadata, sha256, size_bytes, mtime_ns, state)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    label = iif(path = excluded.path AND path LIKE 'uploads/%', label, excluded.label),
    metadata = iif(path = excluded.path AND path LIKE 'uploads/%', metadata, excluded.metadata),
    path = excluded.path,
    size_bytes = excluded.size_bytes, mtime_ns = excluded.mtime_ns,
    state = CASE pictures.state WHEN 'deleted' THEN 'deleted' ELSE excluded.state END
"""


class PictureState(StrEnum):
    """What became of a picture."""

    ACTIVE = "active"
    GONE = "gone"
    """The last scan did not find it; it returns when a scan finds it again."""
    DELETED = "deleted"
    """Deleted on purpose; a scan that finds the file leaves it out."""


@dataclass(frozen=True)
class CatalogEntry:
    """One picture, whatever number of files hold its bytes."""

    id: str
    path: Path
    """Absolute as the catalog gives it. Given to the catalog, a relative one means: relative to the store."""
    label: str | None
    sha256: str
    size_bytes: int
    mtime_ns: int
    metadata: Mapping[str, str] = field(default_factory=dict)
    state: PictureState = PictureState.ACTIVE
    external_id: str | None = None
    """The name that whoever added the picture has for it; no two pictures share one."""


@dataclass(frozen=True)
class HashedFile:
    """A file's hash, good for as long as its size and time of change stay."""

    size_bytes: int
    mtime_ns: int
    sha256: str


def picture_id(sha256: str) -> str:
    """The first 128 bits of the content's sha256, in hex."""
    return sha256[:ID_LENGTH]


class _KeptConnection(NamedTuple):
    """An open connection that nobody reads from."""

    file: tuple[int, int]
    """Device and inode, which no other file gets while this one is open."""
    connection: sqlite3.Connection


class Catalog:
    """The catalog of one store; safe for any number of threads and processes.

    Every call opens its own connection, so nothing is shared and nothing leaks; opening and reading the schema takes
    half a millisecond, which who reads all the time saves with `kept_open`.

    Args:
        path: the SQLite file; made by the first write.
        base: what relative paths are relative to.
    """

    def __init__(self, path: Path, base: Path) -> None:
        self.path = path
        self._base = base
        self._idle: deque[_KeptConnection] | None = None

    @contextmanager
    def kept_open(self) -> Iterator[None]:
        """Inside, readers leave their connections to the next one; what other processes commit is seen all the same."""
        self._idle = deque()
        try:
            yield
        finally:
            idle, self._idle = self._idle, None
            for kept in idle:
                kept.connection.close()

    def get(self, item_id: str) -> CatalogEntry | None:
        """The picture of an id, in whatever state."""
        return self.get_many([item_id]).get(item_id)

    def get_many(self, item_ids: Iterable[str]) -> dict[str, CatalogEntry]:
        """Id to picture; unknown ids are left out."""
        query = "SELECT * FROM pictures WHERE id IN (SELECT value FROM json_each(?))"
        return {row["id"]: self.entry(row) for row in self.select(query, json.dumps(list(item_ids)))}

    def count(self) -> int:
        """Active pictures."""
        return len(self.ids(PictureState.ACTIVE))

    def ids(self, state: PictureState) -> frozenset[str]:
        """Ids of the pictures in a state."""
        return frozenset(row["id"] for row in self.select("SELECT id FROM pictures WHERE state = ?", state.value))

    def has_pictures(self) -> bool:
        """Whether there is any, in whatever state; a store with a snapshot and none has lost its catalog."""
        return bool(self.select("SELECT 1 FROM pictures LIMIT 1"))

    def why_lost(self) -> str:
        """What to say of a catalog without pictures beside a snapshot."""
        return (
            f"the catalog {self.path} is missing or empty: labels are unknown, and deleted pictures are found again; "
            f"{RESTORE}, or build the index again: python -m index build"
        )

    def hashed_files(self) -> dict[str, HashedFile]:
        """Path, as stored, to what is known of the file."""
        rows = self.select("SELECT * FROM files")
        return {row["path"]: HashedFile(row["size_bytes"], row["mtime_ns"], row["sha256"]) for row in rows}

    def remember_files(self, files: Mapping[str, HashedFile]) -> None:
        """Keep hashes, so that the next scan reads only what changed."""
        rows = [(path, file.size_bytes, file.mtime_ns, file.sha256) for path, file in files.items()]
        with self._connection(create=True) as connection, connection:
            connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", rows)

    def update(self, entries: Iterable[CatalogEntry], gone: Collection[str] = ()) -> None:
        """Add or renew pictures and mark others as gone, in one transaction; what was deleted stays deleted."""
        rows = [_row(entry) for entry in entries]
        with self._connection(create=True) as connection, connection:
            connection.executemany(_UPSERT, rows)
            connection.execute(
                "UPDATE pictures SET state = 'gone' WHERE state = 'active' AND id IN (SELECT value FROM json_each(?))",
                (json.dumps(list(gone)),),
            )

    def set_state(self, item_id: str, state: PictureState) -> bool:
        """Change a picture's state; False for an unknown id."""
        with self._connection(create=True) as connection, connection:
            cursor = connection.execute("UPDATE pictures SET state = ? WHERE id = ?", (state.value, item_id))
        return cursor.rowcount > 0

    def select(self, query: str, *parameters: object) -> list[sqlite3.Row]:
        """Rows of any query; none before the first write."""
        try:
            stat = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise StoreReadError(f"the catalog {self.path} cannot be read: {error.strerror or error}") from error
        if self._idle is None:
            with self._connection() as connection:
                return connection.execute(query, parameters).fetchall()
        with self._kept_connection((stat.st_dev, stat.st_ino)) as connection:
            return connection.execute(query, parameters).fetchall()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, alone among writers; on disk at the end, undone by an exception."""
        with self._connection(create=True) as connection:
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                yield connection

    @contextmanager
    def _connection(self, *, create: bool = False) -> Iterator[sqlite3.Connection]:
        kind = StoreWriteError if create else StoreReadError
        with self._own_errors(kind), closing(self._connect("rwc" if create else "rw")) as connection:
            self._prepare(connection, is_writer=create)
            yield connection

    @contextmanager
    def _kept_connection(self, file: tuple[int, int]) -> Iterator[sqlite3.Connection]:
        """One that was left, if it has this very file open, else a new one; left again unless something went wrong."""
        with self._own_errors(StoreReadError):
            connection = self._take_idle(file) or self._connect("rw")
            try:
                is_current = self._prepare(connection, is_writer=False)
                yield connection
            except BaseException:
                connection.close()
                raise
            if is_current and not self._is_frozen():
                self._leave(_KeptConnection(file, connection))
            else:  # it sees schema 1 dressed up, or a frozen file, and would go on so when that is over
                connection.close()

    def _take_idle(self, file: tuple[int, int]) -> sqlite3.Connection | None:
        idle = self._idle
        while idle:
            try:
                kept = idle.pop()
            except IndexError:  # another thread was faster
                break
            if kept.file == file:
                return kept.connection
            kept.connection.close()  # the file was replaced: what this one has open is not the catalog any more
        return None

    def _leave(self, kept: "_KeptConnection") -> None:
        idle = self._idle
        if idle is None or len(idle) >= _MAX_IDLE:
            kept.connection.close()
        else:
            idle.append(kept)

    def _connect(self, mode: str) -> sqlite3.Connection:
        options = "mode=ro&immutable=1" if mode == "rw" and self._is_frozen() else f"mode={mode}"
        uri = f"{self.path.absolute().as_uri()}?{options}"
        # Of several threads, but never of two at a time.
        connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_TIMEOUT_S, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        return connection

    def _is_frozen(self) -> bool:
        """Whether this process cannot write beside the file, and nobody else does: SQLite then needs to be told so."""
        return not os.access(self.path.parent, os.W_OK) and not self.path.with_name(f"{self.path.name}-wal").exists()

    @contextmanager
    def _own_errors(self, kind: type[StoreError]) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            # What says that the file is damaged says so of reading, whatever was to be done. Python's own complaint
            # of text that is not UTF-8 has no code.
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
            is_damaged = code in _DAMAGED or self.path.is_dir()
            message = f"the catalog {self.path} cannot be used: {error}"
            raise (StoreReadError(f"{message}; {RESTORE}") if is_damaged else kind(message)) from error

    def _prepare(self, connection: sqlite3.Connection, *, is_writer: bool) -> bool:
        """Make it fit to be used; whether it has the current schema by itself."""
        version = schema_of(connection)
        if version > SCHEMA_VERSION:
            raise StoreReadError(
                f"the catalog {self.path} has schema {version}; this version reads schema {SCHEMA_VERSION}"
            )
        if is_writer:
            connection.execute("PRAGMA synchronous = FULL")  # a commit is on disk, whatever the library's default
        if version == 0 or (is_writer and version < SCHEMA_VERSION):
            migrate(connection)
        elif version < SCHEMA_VERSION:
            read_as_current(connection)
            return False
        return True

    def entry(self, row: sqlite3.Row) -> CatalogEntry:
        """A row of `pictures` as what it means; raises StoreReadError for one that is damaged."""
        fields: dict[str, Any] = dict(row)
        try:
            fields["path"] = self._base / row["path"]
            fields["metadata"] = _texts(json.loads(row["metadata"]))
            fields["state"] = PictureState(row["state"])
        except (ValueError, TypeError, RecursionError) as error:
            raise StoreReadError(
                f"the catalog {self.path} is damaged at picture {row['id']!r}: {error}; restore it from a backup, or "
                "take that picture out and add it again: python -m index remove ID"
            ) from error
        return CatalogEntry(**fields)


def _texts(content: Any) -> dict[str, str]:
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise ValueError("the metadata are no object of texts")
    return content


def _row(entry: CatalogEntry) -> tuple[object, ...]:
    return (
        entry.id,
        str(entry.path),
        entry.label,
        json.dumps(dict(entry.metadata)),
        entry.sha256,
        entry.size_bytes,
        entry.mtime_ns,
        entry.state.value,
    )
