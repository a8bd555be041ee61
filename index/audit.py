"""Whether a store is whole: snapshots, catalog, added rows and files, against each other.

Nothing is changed. What is found is told with the command that mends it; `index build` mends most: it reads the
gallery anew and embeds again whatever has no sound vector.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from emotion.bundle import file_sha256
from emotion.errors import StoreError, StoreMissingError, StoreReadError
from index.catalog import CatalogEntry, PictureState, picture_id
from index.connections import RESTORE
from index.delta import read_rows
from index.manifest import SnapshotManifest
from index.rows import decode_ids
from index.snapshot import IDS, check_files
from index.store import SnapshotStore
from index.view import made_by

_SHOWN: Final = 3
_BUILD: Final = "build the index again: python -m index build"
_REMOVE: Final = "python -m index remove ID"


@dataclass
class Findings:
    """What is wrong, and what is only worth knowing."""

    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    manifest: SnapshotManifest | None = None
    """Of the published version, where it is whole."""

    def problem(self, items: Collection[object], what: str, then: str) -> None:
        """Something to be mended, where it concerns anything: how many, the first few, and how."""
        if items:
            self.problems.append(_counted(items, what, then))

    def note(self, items: Collection[object], what: str, then: str) -> None:
        """Likewise something that may stay as it is."""
        if items:
            self.notes.append(_counted(items, what, then))


def audit(store: SnapshotStore) -> Findings:
    """Check everything in a store; raises StoreMissingError where nothing was published in it."""
    findings = Findings()
    for check in (_published, _other_versions, _config, _catalog):
        try:
            check(store, findings)
        except StoreError as error:
            if check is _published and isinstance(error, StoreMissingError):
                raise
            findings.problems.append(str(error))
    return findings


def _counted(items: Collection[object], what: str, then: str) -> str:
    first = ", ".join(sorted(map(str, items))[:_SHOWN])
    return f"{len(items)} {what}: {first}{', ...' if len(items) > _SHOWN else ''}; {then}"


def _published(store: SnapshotStore, findings: Findings) -> None:
    findings.manifest = store.verify()


def _other_versions(store: SnapshotStore, findings: Findings) -> None:
    """Those that a rollback may lead to."""
    if findings.manifest is None:
        return  # which one is published may not be known
    for version in store.versions():
        if version == findings.manifest.version:
            continue
        try:
            check_files(store.snapshots / version, store.manifest(version))
        except StoreError as error:
            reason = str(error).partition(";")[0]
            findings.problems.append(f"{reason}; no rollback can lead there: remove {store.snapshots / version}")


def _config(store: SnapshotStore, findings: Findings) -> None:
    places = [root.located(store.root) for root in store.config().roots]
    missing = [place for place in places if not place.exists()]
    findings.problem(missing, "places of the gallery are not there", "bring them back, or name another one")


def _catalog(store: SnapshotStore, findings: Findings) -> None:
    catalog = store.catalog
    if not catalog.has_pictures():
        raise StoreReadError(catalog.why_lost())
    complaints = [row[0] for row in catalog.select("PRAGMA integrity_check(3)") if row[0] != "ok"]
    if complaints:
        raise StoreReadError(f"the catalog {catalog.path} is damaged: {'; '.join(complaints)}; {RESTORE}")
    entries = _entries(store, findings)
    active = {item_id: entry for item_id, entry in entries.items() if entry.state is PictureState.ACTIVE}
    _vectors(store, active, findings)
    _files(store, active, findings)
    _uploads(store, entries, findings)


def _entries(store: SnapshotStore, findings: Findings) -> dict[str, CatalogEntry]:
    """Every picture whose row can be read."""
    entries, unreadable = {}, []
    for row in store.catalog.select("SELECT * FROM pictures"):
        try:
            entries[row["id"]] = store.catalog.entry(row)
        except StoreReadError:
            unreadable.append(row["id"])
    wrong = [entry.id for entry in entries.values() if entry.id != picture_id(str(entry.sha256))]
    findings.problem(unreadable, "rows of the catalog are damaged", f"{RESTORE}, or: {_REMOVE}")
    findings.problem(wrong, "pictures have an id that is not their content's", f"{RESTORE}, or: {_REMOVE}")
    return entries


def _vectors(store: SnapshotStore, active: Collection[str], findings: Findings) -> None:
    """That searches find every active picture, and nothing else."""
    if findings.manifest is None:
        return
    ids = set(decode_ids(np.load(store.snapshots / findings.manifest.version / IDS, allow_pickle=False)))
    known = {row["id"] for row in store.catalog.select("SELECT id FROM pictures")}
    added = read_rows(store.catalog, made_by(findings.manifest))
    damaged = set(added.damaged)
    without = set(active) - ids - {row.id for row in added.rows} - damaged
    findings.problem(damaged - ids, "added pictures have a damaged vector", _BUILD)
    findings.note(damaged & ids, "vectors kept for a rollback are damaged", "after one, build the index again")
    findings.problem(without, "pictures have no vector, and no search finds them", _BUILD)
    findings.problem(ids - known, "pictures of the index are unknown to the catalog", f"{RESTORE}, or {_BUILD}")
    strangers = {row["id"] for row in store.catalog.select("SELECT id FROM added")} - known
    findings.note(strangers, "added vectors belong to no picture", "the next build drops them")


def _files(store: SnapshotStore, active: Mapping[str, CatalogEntry], findings: Findings) -> None:
    """That files are there; the uploads, of which there is no other copy, are read."""
    remembered = store.catalog.hashed_files()
    lost: list[Path] = []
    vanished: list[Path] = []
    changed, misremembered = [], []
    for entry in active.values():
        is_upload = entry.path.is_relative_to(store.uploads)
        file = remembered.get(str(entry.path.relative_to(store.root) if is_upload else entry.path))
        if file is not None and file.sha256 != entry.sha256 and file.mtime_ns == entry.mtime_ns:
            misremembered.append(entry.path)
        if not entry.path.is_file():
            (lost if is_upload else vanished).append(entry.path)
        elif is_upload and _sha256_of(entry.path) != entry.sha256:
            changed.append(entry.path)
    again = f"post it again, restore uploads/ from a backup, or give it up: {_REMOVE}"
    findings.problem(lost, "uploads are missing", again)
    findings.problem(changed, "uploads are damaged", again)
    findings.problem(misremembered, "files have a wrong hash in the catalog", f"touch them; {_BUILD}")
    findings.note(vanished, "originals are not where they were", "the next build leaves them out")


def _uploads(store: SnapshotStore, entries: Mapping[str, CatalogEntry], findings: Findings) -> None:
    """That no file lies in uploads/ for nothing."""
    half_written, deleted, orphans = [], [], []
    for file in store.uploads.rglob("*"):
        entry = entries.get(file.stem)
        if not file.is_file():
            continue
        if file.name.startswith("."):
            half_written.append(file)
        elif entry is None:
            orphans.append(file)
        elif entry.state is PictureState.DELETED:
            deleted.append(file)
    findings.note(half_written, "uploads were cut off", "the next build removes them")
    findings.note(deleted, "uploads of deleted pictures are still there", "the next build removes them")
    never_added = "who posted them got no answer; add them, python -m index add FILE, or remove them"
    findings.note(orphans, "files in uploads/ belong to no picture", never_added)


def _sha256_of(file: Path) -> str | None:
    try:
        return file_sha256(file)
    except OSError:
        return None
