"""Ways to find pictures in the catalog other than by id."""

from index.catalog import Catalog, CatalogEntry


def find_external(catalog: Catalog, external_id: str) -> CatalogEntry | None:
    """The active picture that its owner calls by this name."""
    rows = catalog.select("SELECT * FROM pictures WHERE external_id = ? AND state = 'active'", external_id)
    return catalog.entry(rows[0]) if rows else None


def active_after(catalog: Catalog, item_id: str, limit: int) -> list[CatalogEntry]:
    """Active pictures in the order of their ids, from the one after an id on; it need not exist."""
    query = "SELECT * FROM pictures WHERE state = 'active' AND id > ? ORDER BY id LIMIT ?"
    return [catalog.entry(row) for row in catalog.select(query, item_id, limit)]
