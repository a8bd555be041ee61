"""Folding what was added and deleted into a new snapshot, without a model and without looking at the gallery."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from emotion.errors import EmptyGalleryError, StoreError, StoreMissingError
from emotion.runtime import Device
from index.additions import erase_files
from index.catalog import PictureState
from index.delta import drop_rows, gallery_rows, read_rows
from index.manifest import BuildCounts, SnapshotManifest
from index.projection import lay_flat
from index.rows import GalleryRows, KnownRows
from index.snapshot import IDS, Snapshot, SnapshotDraft
from index.spec import IndexChoice
from index.store import KEEP_VERSIONS, SnapshotStore
from index.view import made_by


@dataclass(frozen=True)
class Compacted:
    """What a compaction published, or left as it was."""

    manifest: SnapshotManifest
    n_added: int
    """Pictures that the snapshot before did not hold."""
    n_removed: int
    """Pictures that it held and that were deleted since."""


def compact(store: SnapshotStore, *, device: Device = Device.CPU) -> Compacted:
    """Publish a snapshot of the live one's pictures and the added ones, without the deleted ones.

    Killed anywhere, it leaves the pictures as they are: until the new version is published the added ones are found
    in the delta, and from then on both hold them, of which the snapshot counts.

    Args:
        store: what to compact; answers go on meanwhile, and pictures added or deleted meanwhile are left for the next.
        device: where the index will be searched; what fits there may differ.

    Raises:
        StoreLockedError: another process builds.
        StoreMissingError, SnapshotCorruptError: there is no snapshot, or it is damaged.
        EmptyGalleryError: no picture is left.
    """
    with store.writer_lock():
        snapshot = store.load(device=Device.CPU)
        added = _added_to(snapshot, store)
        deleted = store.catalog.ids(PictureState.DELETED)
        kept = [item_id for item_id in snapshot.ids if item_id not in deleted]
        n_removed = len(snapshot.ids) - len(kept)
        if not kept and not len(added):
            raise EmptyGalleryError("every picture was deleted; an index needs at least one, so the old one stays")
        if len(added) or n_removed:
            draft = _draft(store, snapshot, added, sorted([*kept, *added.ids]), device)
            store.publish(store.stage(draft))
        tidy(store)
        return Compacted(store.manifest(), len(added), n_removed)


def count_added(store: SnapshotStore) -> int:
    """Pictures that every search compares one by one, until the next compact or build."""
    made = made_by(store.manifest())
    query = "SELECT id FROM added JOIN pictures USING (id) WHERE model_id = ? AND precision = ? AND state = 'active'"
    added = {row["id"] for row in store.catalog.select(query, made.model_id, made.precision)}
    return len(added - _ids(store.snapshots / store.manifest().version / IDS)) if added else 0


def tidy(store: SnapshotStore) -> None:
    """After a publish, remove what nobody can ask for any more; call it inside writer_lock."""
    store.prune(KEEP_VERSIONS)
    drop_rows(store.catalog, lambda model_id, precision: _held(store, model_id, precision))
    erase_files(store)


def _added_to(snapshot: Snapshot, store: SnapshotStore) -> GalleryRows:
    made = made_by(snapshot.manifest)
    rows = read_rows(store.catalog, made).rows
    return gallery_rows([row for row in rows if snapshot.row_of(row.id) is None], made)


def _draft(
    store: SnapshotStore, snapshot: Snapshot, added: GalleryRows, ids: list[str], device: Device
) -> SnapshotDraft:
    manifest = snapshot.manifest
    rows = KnownRows([snapshot.rows, added]).gather(ids)
    return SnapshotDraft(
        rows=rows,
        model_id=manifest.model_id,
        precision=manifest.precision,
        taxonomy=manifest.taxonomy,
        counts=BuildCounts(reused=len(ids)),
        choice=_choice(store),
        device=device,
        layout=lay_flat(rows.vectors),
    )


def _choice(store: SnapshotStore) -> IndexChoice:
    try:
        return store.config().index
    except StoreMissingError:
        return IndexChoice()


def _held(store: SnapshotStore, model_id: str, precision: str) -> Collection[str] | None:
    """Ids that every version of a model on disk holds: a rollback may lead to any of them."""
    held: set[str] | None = None
    for version in store.versions():
        try:
            manifest = store.manifest(version)
            if (manifest.model_id, manifest.precision) != (model_id, precision):
                continue
            ids = _ids(store.snapshots / version / IDS)
        except (StoreError, OSError, ValueError):
            return frozenset()  # a damaged version says nothing, so nothing is given up
        held = ids if held is None else held & ids
    return held


def _ids(file: Path) -> set[str]:
    return {item_id.decode() for item_id in np.load(file, allow_pickle=False).tolist()}
