"""The tables of the catalog, and the way from an older schema to this one."""

import sqlite3
from typing import Final

SCHEMA_VERSION: Final = 2

_PICTURES = """
CREATE TABLE pictures (
    id TEXT PRIMARY KEY,
    path TEXT NOT NULL,
    label TEXT,
    metadata TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    state TEXT NOT NULL
) WITHOUT ROWID
"""
_FILES = """
CREATE TABLE files (
    path TEXT PRIMARY KEY,
    size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    sha256 TEXT NOT NULL
) WITHOUT ROWID
"""
# AUTOINCREMENT: a number is never given twice, so whoever follows the table asks for what is above the last one seen.
_ADDED = """
CREATE {temporary} TABLE added (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    model_id TEXT NOT NULL,
    precision TEXT NOT NULL,
    vector BLOB NOT NULL,
    probabilities BLOB NOT NULL,
    checksum INTEGER NOT NULL,
    UNIQUE (id, model_id, precision)
)
"""
_STEPS: Final = {
    0: (_PICTURES, _FILES),
    1: (
        "ALTER TABLE pictures ADD COLUMN external_id TEXT",
        "CREATE UNIQUE INDEX external_ids ON pictures (external_id) WHERE external_id IS NOT NULL",
        _ADDED.format(temporary=""),
    ),
}
"""Schema to the statements that lead to the next one."""


def schema_of(connection: sqlite3.Connection) -> int:
    """The schema of a database; 0 of an empty one."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a database of an older schema, or an empty one, to this one: all of it or nothing."""
    if schema_of(connection) == 0:
        connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        # Asked again inside: another process may have been here first.
        for version in range(schema_of(connection), SCHEMA_VERSION):
            for statement in _STEPS[version]:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def read_as_current(connection: sqlite3.Connection) -> None:
    """Let this connection read schema 1 as if it were the current one: a reader may have no right to migrate."""
    connection.execute("CREATE TEMP VIEW pictures AS SELECT *, NULL AS external_id FROM main.pictures")
    connection.execute(_ADDED.format(temporary="TEMPORARY"))
