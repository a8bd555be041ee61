"""Connections to a SQLite file that many threads and processes read and write, and their errors as ours.

Every call opens its own connection, so nothing is shared and nothing leaks; opening and reading the schema takes half a
millisecond, which who reads all the time saves with `kept_open`.
"""

import os
import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from emotion.errors import StoreError, StoreReadError, StoreWriteError
from index.schema import SCHEMA_VERSION, migrate, read_as_current, schema_of

RESTORE: Final = "restore it from a backup, as docs/operations.md says"
_BUSY_TIMEOUT_S = 10.0
_MAX_IDLE: Final = 8
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class _KeptConnection(NamedTuple):
    """An open connection that nobody reads from."""

    file: tuple[int, int]
    """Device and inode, which no other file gets while this one is open."""
    connection: sqlite3.Connection


class Connections:
    """Ways to one file, which the first write makes.

    Args:
        path: the SQLite file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
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

    def select(self, query: str, *parameters: object) -> list[sqlite3.Row]:
        """Rows of any query; none before the first write."""
        try:
            stat = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise StoreReadError(f"the catalog {self.path} cannot be read: {error.strerror or error}") from error
        with self._open_to_read((stat.st_dev, stat.st_ino)) as connection:
            return connection.execute(query, parameters).fetchall()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, alone among writers; on disk at the end, undone by an exception."""
        with self.open_to_write() as connection:
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                yield connection

    @contextmanager
    def open_to_write(self) -> Iterator[sqlite3.Connection]:
        """A connection that may write, with the current schema; raises StoreWriteError."""
        with self._own_errors(StoreWriteError), closing(self._connect("mode=rwc")) as connection:
            self._prepare(connection, is_writer=True)
            yield connection

    @contextmanager
    def _open_to_read(self, file: tuple[int, int]) -> Iterator[sqlite3.Connection]:
        """One that was left, if it has this very file open, else a new one; left again unless something went wrong."""
        with self._own_errors(StoreReadError):
            connection, is_frozen = self._take_idle(file), False
            if connection is None:
                is_frozen = self._is_frozen()
                connection = self._connect("mode=ro&immutable=1" if is_frozen else "mode=rw")
            try:
                is_current = self._prepare(connection, is_writer=False)
                yield connection
            except BaseException:
                connection.close()
                raise
            if is_current and not is_frozen:
                self._leave(_KeptConnection(file, connection))
            else:  # it sees schema 1 dressed up, or a file that does not change, and would go on so
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

    def _leave(self, kept: _KeptConnection) -> None:
        idle = self._idle
        if idle is None or len(idle) >= _MAX_IDLE:
            kept.connection.close()
        else:
            idle.append(kept)

    def _connect(self, options: str) -> sqlite3.Connection:
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
