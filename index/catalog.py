"""Every picture of the gallery, in SQLite: the source of truth for what an id means.

Rows are never removed: a snapshot from before may still name a picture whose original has vanished, and a picture
that was deleted on purpose must not come back with the next scan.
"""

import json
import sqlite3
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from emotion.errors import StoreReadError
from index.connections import RESTORE, Connections

ID_LENGTH: Final = 32

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


class Catalog(Connections):
    """The catalog of one store; safe for any number of threads and processes.

    Args:
        path: the SQLite file; made by the first write.
        base: what relative paths are relative to.
    """

    def __init__(self, path: Path, base: Path) -> None:
        super().__init__(path)
        self._base = base

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
        with self.open_to_write() as connection, connection:
            connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", rows)

    def last_added(self) -> int:
        """The number of the last addition; later ones have higher numbers."""
        return max((row["last"] or 0 for row in self.select("SELECT max(seq) AS last FROM added")), default=0)

    def update(
        self, entries: Iterable[CatalogEntry], gone: Collection[str] = (), last_added: int | None = None
    ) -> None:
        """Add or renew pictures and mark others as gone, in one transaction; what was deleted stays deleted.

        Args:
            entries: pictures that are there.
            gone: ids of pictures that were looked for and not found.
            last_added: as it was before they were looked for. What was added since is there whatever was found: a
                picture may have been deleted, not been found, and been added again.
        """
        rows = [_row(entry) for entry in entries]
        with self.open_to_write() as connection, connection:
            connection.executemany(_UPSERT, rows)
            connection.execute(
                "UPDATE pictures SET state = 'gone' WHERE state = 'active' AND id IN (SELECT value FROM json_each(?)) "
                "AND id NOT IN (SELECT id FROM added WHERE seq > ?)",
                (json.dumps(list(gone)), sys.maxsize if last_added is None else last_added),
            )

    def set_state(self, item_id: str, state: PictureState) -> bool:
        """Change a picture's state; False for an unknown id."""
        with self.open_to_write() as connection, connection:
            cursor = connection.execute("UPDATE pictures SET state = ? WHERE id = ?", (state.value, item_id))
        return cursor.rowcount > 0

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
