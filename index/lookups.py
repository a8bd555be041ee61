"""Ways to find pictures in the catalog other than one by one."""

import json
from collections.abc import Iterable
from typing import NamedTuple

from index.catalog import Catalog, CatalogEntry


class Said(NamedTuple):
    """What is known of a picture in short."""

    label: str | None
    is_deleted: bool


def find_external(catalog: Catalog, external_id: str) -> CatalogEntry | None:
    """The active picture that its owner calls by this name."""
    rows = catalog.select("SELECT * FROM pictures WHERE external_id = ? AND state = 'active'", external_id)
    return catalog.entry(rows[0]) if rows else None


def active_after(catalog: Catalog, item_id: str, limit: int) -> list[CatalogEntry]:
    """Active pictures in the order of their ids, from the one after an id on; it need not exist."""
    query = "SELECT * FROM pictures WHERE state = 'active' AND id > ? ORDER BY id LIMIT ?"
    return [catalog.entry(row) for row in catalog.select(query, item_id, limit)]


def said_of(catalog: Catalog, item_ids: Iterable[str]) -> dict[str, Said]:
    """Id to what is known; unknown ids are left out. Of many pictures this is far less work than their entries are."""
    query = "SELECT id, label, state = 'deleted' AS deleted FROM pictures WHERE id IN (SELECT value FROM json_each(?))"
    rows = catalog.select(query, json.dumps(list(item_ids)))
    return {row["id"]: Said(row["label"], bool(row["deleted"])) for row in rows}
