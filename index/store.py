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

from emotion.errors import SnapshotCorruptError, StoreError, StoreLockedError, StoreMissingError, StoreReadError
from emotion.runtime import Device
from index.catalog import Catalog
from index.durable import fsync, write_atomic, written_to
from index.gallery import UPLOADS, StoreConfig
from index.manifest import WAY_OUT, SnapshotManifest, read_manifest
from index.snapshot import Snapshot, SnapshotDraft, read_snapshot, verify_snapshot, write_snapshot

CURRENT: Final = "CURRENT"
LOCK_TIMEOUT_S: Final = 1.0
KEEP_VERSIONS: Final = 3
_STAGING_PREFIX = ".staging-"
_ROLLBACK = "python -m index rollback"
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
            raise StoreError(
                f"{self._config_file} is not valid: {error}; write it again: "
                f"python -m index build --bundle BUNDLE --gallery FOLDER_OR_MANIFEST --store {self.root}"
            ) from error
        except OSError as error:
            raise StoreReadError(f"{self._config_file} cannot be read: {error.strerror or error}") from error

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
            message = f"{self.root / CURRENT} cannot be read: {error.strerror}"
            if isinstance(error, IsADirectoryError):
                message += f"; remove it, and publish the newest version: {_ROLLBACK}"
            raise StoreReadError(message) from error
        if not _VERSION.fullmatch(version):
            raise SnapshotCorruptError(f"{self.root / CURRENT} is damaged; publish the newest version: {_ROLLBACK}")
        return version

    def versions(self) -> list[str]:
        """All versions on disk, oldest first."""
        try:
            return sorted(folder.name for folder in self.snapshots.iterdir() if _VERSION.fullmatch(folder.name))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise StoreReadError(f"{self.snapshots} cannot be read: {error.strerror}") from error

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
            StoreWriteError: the store cannot be written.
        """
        with written_to(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire(timeout=timeout_s)
            except Timeout as error:
                raise StoreLockedError(
                    f"another process is writing to {self.root}; wait until its build has ended and try again"
                ) from error
        try:
            if self._lock.lock_counter == 1:
                self._sweep()
            yield
        finally:
            self._lock.release()

    def stage(self, draft: SnapshotDraft) -> StagedSnapshot:
        """Write and verify a snapshot that nobody sees yet; call it inside writer_lock. What fails leaves nothing."""
        with written_to(self.root):
            self.snapshots.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=_STAGING_PREFIX, dir=self.snapshots))
        try:
            with written_to(self.root):
                folder.chmod(0o755)
                write_snapshot(folder, draft, self._next_version())
            return StagedSnapshot(folder, verify_snapshot(folder))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)  # at once: it may be what fills the disk
            raise

    def publish(self, staged: StagedSnapshot) -> None:
        """Make a staged snapshot the live one; call it inside writer_lock."""
        version = staged.manifest.version
        with written_to(self.root):
            staged.folder.rename(self.snapshots / version)
            fsync(self.snapshots)
            self._point_to(version)

    def rollback(self) -> SnapshotManifest:
        """Publish the version before the current one again, after verifying it; the newest where CURRENT was lost.

        The catalog is not rolled back: a picture deleted since then stays deleted, and one added since then stays,
        because the delta keeps it as long as there is a version without it.
        """
        with self.writer_lock():
            version = self.version_before()
            manifest = self.verify(version)
            with written_to(self.root):
                self._point_to(version)
            return manifest

    def version_before(self) -> str:
        """What a rollback leads to; raises StoreMissingError when there is none."""
        versions = self.versions()
        try:
            current = self.current_version()
        except SnapshotCorruptError:
            current = None
        earlier = [version for version in versions if current not in versions or version < str(current)]
        if not earlier:
            raise StoreMissingError(f"the store {self.root} has no version before {current} to roll back to")
        return earlier[-1]

    def prune(self, keep: int = KEEP_VERSIONS) -> list[str]:
        """Remove all but the newest versions, never the published one; returns what was removed."""
        if keep < 1:
            raise StoreError(f"prune must keep at least 1 version, not {keep}")
        with self.writer_lock():
            kept = {*self.versions()[-keep:], self.current_version()}
            doomed = [version for version in self.versions() if version not in kept]
            with written_to(self.root):
                for version in doomed:
                    shutil.rmtree(self.snapshots / version)
            return doomed

    def _published(self) -> str:
        version = self.current_version()
        if version is None and self.versions():
            raise SnapshotCorruptError(f"{self.root / CURRENT} is missing; publish the newest version: {_ROLLBACK}")
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
            raise SnapshotCorruptError(f"snapshot {version} is missing from {self.snapshots}; {WAY_OUT}")
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
        with written_to(self.root):
            for folder in self.snapshots.glob(f"{_STAGING_PREFIX}*"):
                shutil.rmtree(folder)
