"""The store on disk: one catalog, immutable snapshots, and CURRENT, the pointer that publishes one of them.

A snapshot is staged, forced to disk and verified in a hidden folder, renamed, and only then named by CURRENT, which
is replaced in one step. Readers take no lock; writers take one file lock.
"""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout
from pydantic import ValidationError

from emotion.errors import SnapshotCorruptError, StoreError, StoreLockedError, StoreMissingError
from emotion.runtime import Device
from index.catalog import Catalog
from index.durable import fsync, write_atomic
from index.gallery import UPLOADS, StoreConfig
from index.manifest import SnapshotManifest, read_manifest
from index.snapshot import Snapshot, SnapshotDraft, read_snapshot, verify_snapshot, write_snapshot

CURRENT: Final = "CURRENT"
LOCK_TIMEOUT_S: Final = 1.0
KEEP_VERSIONS: Final = 3
_STAGING_PREFIX = ".staging-"
_VERSION_FORMAT = "%Y%m%dT%H%M%S.%fZ"
_VERSION = re.compile(r"\d{8}T\d{6}\.\d{6}Z")


@dataclass(frozen=True)
class StagedSnapshot:
    """Written and verified, not yet visible."""

    folder: Path
    manifest: SnapshotManifest


class SnapshotStore:
    """A store's folder; making the object touches nothing."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().resolve()
        self.catalog = Catalog(self.root / "catalog.sqlite", self.root)
        self.uploads = self.root / UPLOADS
        self.thumbnails = self.root / "thumbnails"
        self.partial = self.root / "partial"
        self.snapshots = self.root / "snapshots"
        self._config_file = self.root / "store.json"
        self._lock = FileLock(self.root / ".lock")

    def config(self) -> StoreConfig:
        """The gallery this store indexes; raises StoreMissingError before the first build."""
        try:
            return StoreConfig.model_validate_json(self._config_file.read_bytes())
        except FileNotFoundError as error:
            raise StoreMissingError(
                f"the store {self.root} knows no gallery yet; name one: "
                f"python -m index build --bundle BUNDLE --gallery FOLDER_OR_MANIFEST --store {self.root}"
            ) from error
        except ValidationError as error:
            raise StoreError(f"{self._config_file} is not valid: {error}") from error

    def write_config(self, config: StoreConfig) -> None:
        """Set the gallery and the kind of index."""
        write_atomic(self._config_file, config.model_dump_json(indent=1).encode() + b"\n")

    def current_version(self) -> str | None:
        """The published version, None before the first; one small read, cheap enough to poll."""
        try:
            version = (self.root / CURRENT).read_text(encoding="ascii", errors="replace").strip()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"the store {self.root} cannot be read: {error.strerror}") from error
        if not _VERSION.fullmatch(version):
            raise SnapshotCorruptError(f"{self.root / CURRENT} is damaged; build the index again")
        return version

    def versions(self) -> list[str]:
        """All versions on disk, oldest first."""
        if not self.snapshots.is_dir():
            return []
        return sorted(folder.name for folder in self.snapshots.iterdir() if _VERSION.fullmatch(folder.name))

    def manifest(self, version: str | None = None) -> SnapshotManifest:
        """Facts of a version, by default the published one, without loading it."""
        return read_manifest(self._folder(version))

    def load(self, version: str | None = None, device: Device = Device.AUTO, *, gently: bool = False) -> Snapshot:
        """Load a version, by default the published one; gently beside requests that are being answered.

        Raises:
            StoreMissingError: nothing was published yet.
            SnapshotCorruptError: the version or one of its files is missing or damaged.
        """
        wanted = version or self._published()
        try:
            return read_snapshot(self._folder(wanted), device, gently=gently)
        except SnapshotCorruptError:
            # Several builds may publish and prune while one slow reader is on its way.
            if version is None and self._published() != wanted:
                return self.load(None, device, gently=gently)
            raise

    def verify(self, version: str | None = None) -> SnapshotManifest:
        """Check a version's files, shapes and recall; raises SnapshotCorruptError naming the damaged file."""
        return verify_snapshot(self._folder(version))

    @contextmanager
    def writer_lock(self, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[None]:
        """Be the only writer, and sweep up what a killed one left; may be nested in one thread.

        Raises:
            StoreLockedError: another process writes for longer than the timeout.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=timeout_s)
        except Timeout as error:
            raise StoreLockedError(
                f"another process is writing to {self.root}; wait until its build has ended and try again"
            ) from error
        except OSError as error:
            raise StoreError(f"cannot write to the store {self.root}: {error.strerror or error}") from error
        try:
            if self._lock.lock_counter == 1:
                self._sweep()
            yield
        finally:
            self._lock.release()

    def stage(self, draft: SnapshotDraft) -> StagedSnapshot:
        """Write and verify a snapshot that nobody sees yet; call it inside writer_lock."""
        self.snapshots.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=_STAGING_PREFIX, dir=self.snapshots))
        folder.chmod(0o755)
        write_snapshot(folder, draft, self._next_version())
        return StagedSnapshot(folder, verify_snapshot(folder))

    def publish(self, staged: StagedSnapshot) -> None:
        """Make a staged snapshot the live one; call it inside writer_lock."""
        version = staged.manifest.version
        staged.folder.rename(self.snapshots / version)
        fsync(self.snapshots)
        self._point_to(version)

    def rollback(self) -> SnapshotManifest:
        """Publish the version before the current one again, after verifying it.

        The catalog is not rolled back: a picture deleted since then stays deleted, and one added since then stays,
        because the delta keeps it as long as there is a version without it.
        """
        with self.writer_lock():
            current = self.current_version()
            earlier = [version for version in self.versions() if current is not None and version < current]
            if not earlier:
                raise StoreMissingError(f"the store {self.root} has no version before {current} to roll back to")
            manifest = self.verify(earlier[-1])
            self._point_to(earlier[-1])
            return manifest

    def prune(self, keep: int = KEEP_VERSIONS) -> list[str]:
        """Remove all but the newest versions, never the published one; returns what was removed."""
        if keep < 1:
            raise StoreError(f"prune must keep at least 1 version, not {keep}")
        with self.writer_lock():
            kept = {*self.versions()[-keep:], self.current_version()}
            doomed = [version for version in self.versions() if version not in kept]
            for version in doomed:
                shutil.rmtree(self.snapshots / version)
            return doomed

    def _published(self) -> str:
        version = self.current_version()
        if version is None:
            raise StoreMissingError(
                f"the store {self.root} holds no index yet; build one: "
                f"python -m index build --bundle BUNDLE --gallery FOLDER_OR_MANIFEST --store {self.root}"
            )
        return version

    def _folder(self, version: str | None) -> Path:
        version = version or self._published()
        folder = self.snapshots / version
        if not _VERSION.fullmatch(version) or not folder.is_dir():
            raise SnapshotCorruptError(f"snapshot {version} is missing from {self.snapshots}")
        return folder

    def _point_to(self, version: str) -> None:
        write_atomic(self.root / CURRENT, f"{version}\n".encode())

    def _next_version(self) -> str:
        """The time now, or just after the newest version where a clock was set back: order of names is history."""
        now = datetime.now(UTC)
        if versions := self.versions():
            newest = datetime.strptime(versions[-1], _VERSION_FORMAT).replace(tzinfo=UTC)
            now = max(now, newest + timedelta(microseconds=1))
        return now.strftime(_VERSION_FORMAT)

    def _sweep(self) -> None:
        for folder in self.snapshots.glob(f"{_STAGING_PREFIX}*"):
            shutil.rmtree(folder)
