"""The store: what it publishes, whether that fits the model, whether it can be written to and by whom it is."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from emotion.bundle import Bundle
from emotion.errors import FeelalikeError, StoreMissingError
from emotion.runtime import Device, Precision
from service.doctor.finding import Finding, Findings, failed, guarded, ok, warning
from service.doctor.locks import holders, is_held
from service.settings import ServiceSettings

if TYPE_CHECKING:
    from index.manifest import SnapshotManifest
    from index.store import SnapshotStore

SPARE_BYTES: Final = 256 * 2**20
"""Beside a new snapshot: the catalog's journal, pictures that are added."""
_MIB: Final = 2**20


class Size(NamedTuple):
    """Of the published index."""

    n_pictures: int = 0
    dim: int = 0


def store_findings(settings: ServiceSettings, bundle: Bundle | None, remember: Callable[[Size], None]) -> Findings:
    """All about the store, as far as there is one."""
    from index.store import SnapshotStore

    store = SnapshotStore(settings.store)
    build = build_command(settings)
    back = f"python -m index rollback --store {settings.store}, or {build}"
    try:
        manifest = store.manifest()
    except StoreMissingError:
        found = "holds no index yet" if store.root.is_dir() else "is not there yet"
        yield failed("index", f"the store {settings.store} {found}", f"build one: {build} --gallery FOLDER_OR_MANIFEST")
        if store.root.is_dir():
            yield from _rights(store.root)
        return
    except FeelalikeError as error:
        yield failed("index", str(error), back)
        return
    remember(Size(manifest.count, manifest.dim))
    kept = len(store.versions())
    about = f"version {manifest.version}, {manifest.index.kind}, {manifest.count} pictures"
    yield ok("index", about + (f"; {kept} versions are kept" if kept > 1 else ""))
    yield from guarded("snapshot", back, lambda: _whole(store))
    if bundle is not None:
        yield _fit(manifest, bundle, settings, build)
    yield from guarded("catalog", "restore it from a backup, see docs/operations.md", lambda: _catalog(store))
    yield from guarded("gallery", f"name it again: {build} --gallery FOLDER_OR_MANIFEST", lambda: _gallery(store))
    yield _disk(store.root, sum(file.stat().st_size for file in (store.snapshots / manifest.version).iterdir()))
    yield from _rights(store.root)


def build_command(settings: ServiceSettings) -> str:
    """The command that makes the index this service wants."""
    precision = "" if settings.precision is Precision.FP32 else f" --precision {settings.precision}"
    return f"python -m index build --bundle {settings.bundle} --store {settings.store}{precision}"


def _whole(store: "SnapshotStore") -> Findings:
    snapshot = store.load(device=Device.CPU)
    yield ok(
        "snapshot", f"all {len(snapshot.manifest.files)} files as recorded, recall@10 {snapshot.manifest.recall:.3f}"
    )


def _fit(manifest: "SnapshotManifest", bundle: Bundle, settings: ServiceSettings, build: str) -> Finding:
    wanted = bundle.int8_model_id if settings.precision is Precision.INT8 and bundle.manifest.int8 else bundle.model_id
    if manifest.precision != settings.precision.value:
        found = f"the index was made with precision {manifest.precision}, the service is to run {settings.precision}"
        return failed(
            "match", found, f"serve with --precision {manifest.precision}, or embed the gallery again: {build}"
        )
    if (manifest.model_id, manifest.dim) != (wanted, bundle.dim):
        found = f"the index was made by model {manifest.model_id}, the bundle is {wanted}"
        return failed("match", found, f"name the bundle that made it, or embed the gallery again: {build}")
    return ok("match", f"made by this model at {manifest.precision}")


def _catalog(store: "SnapshotStore") -> Findings:
    from index.compact import count_added

    remedy = "stop the service and restore the catalog from a backup, see docs/operations.md"
    if not store.catalog.has_pictures():
        yield failed("catalog", store.catalog.why_lost(), remedy)
        return
    complaints = [row[0] for row in store.catalog.select("PRAGMA quick_check")]
    if complaints != ["ok"]:
        yield failed("catalog", f"damaged: {'; '.join(complaints[:3])}", remedy)
        return
    added = count_added(store)
    yield ok("catalog", f"sound; {store.catalog.count()} pictures, {added} of them added since the last build")


def _gallery(store: "SnapshotStore") -> Findings:
    roots = [root.located(store.root) for root in store.config().roots]
    gone = [str(root) for root in roots if not root.exists()]
    if gone:
        remedy = "mount it again: searches go on, but thumbnails and rebuilds need the originals"
        yield warning("gallery", f"not there: {', '.join(gone)}", remedy)
    else:
        yield ok("gallery", ", ".join(map(str, roots)))


def _disk(root: Path, snapshot_bytes: int) -> Finding:
    free, needed = shutil.disk_usage(root).free, 2 * snapshot_bytes + SPARE_BYTES
    said = f"{free / _MIB:.0f} MiB free; a rebuild may take {needed / _MIB:.0f}"
    if free < needed:
        return warning("disk", said, "make room: until then additions and rebuilds may fail, searches go on")
    return ok("disk", said)


def _rights(root: Path) -> Findings:
    files = [root, *(file for file in (root / "catalog.sqlite", root / "snapshots", root / "uploads") if file.exists())]
    closed = [str(file) for file in files if not os.access(file, os.W_OK)]
    if closed:
        remedy = f"searches need no more; to add or rebuild: sudo chown -R {os.getuid()} {root}"
        yield warning("rights", f"user {os.getuid()} may not write to {', '.join(closed)}", remedy)
    else:
        yield ok("rights", f"user {os.getuid()} may write to {root}")
    lock = root / ".lock"
    if not is_held(lock):
        yield ok("lock", "free: nobody builds")
        return
    who = "; ".join(holders(lock)) or "a process of another container or user"
    yield warning("lock", f"held by {who}", "wait for its end: no other build can start meanwhile, additions can")
