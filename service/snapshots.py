"""The live snapshot: followed on disk, checked before it is taken, swapped in one reference.

A request takes the handle once and keeps it to its end; a swap meanwhile only changes what the next request sees.
"""

import asyncio
import logging
import time
from functools import partial
from typing import Final, NamedTuple

from emotion.errors import FeelalikeError, SnapshotMismatchError
from emotion.runtime import Device
from index.manifest import Identity, SnapshotManifest, check_matches
from index.snapshot import Snapshot
from index.store import CURRENT, SnapshotStore
from service.errors import NotReadyError
from service.metrics import Metrics

RETRY_S: Final = 30.0
"""How long a snapshot that could not be read is left alone; one of another model is not tried again at all."""

_log = logging.getLogger("feelalike.index")

_Signature = tuple[int, int, int]


class Refusal(NamedTuple):
    """A published snapshot that was not taken."""

    version: str | None
    reason: str


def load_matching(store: SnapshotStore, model: Identity, device: Device, *, gently: bool = False) -> Snapshot:
    """Load the published snapshot if this model made it; gently while another one answers requests.

    Raises:
        SnapshotMismatchError: another model made it; found from the manifest, before the vectors are read.
        StoreMissingError, SnapshotCorruptError: there is none, or it is damaged.
    """
    check_fits(store.manifest(), model)
    snapshot = store.load(device=device, gently=gently)
    check_fits(snapshot.manifest, model)  # another one may have been published in between
    return snapshot


def check_fits(manifest: SnapshotManifest, model: Identity) -> None:
    """Raise SnapshotMismatchError unless the model's vectors can be compared with the snapshot's."""
    check_matches(manifest, model_id=model.model_id, dim=model.dim, precision=model.precision.value)


class LiveSnapshot:
    """The handle.

    Args:
        store: what to follow.
        model: whose vectors the index must hold.
        device: where searches run.
        metrics: told of swaps and refusals.
        snapshot: loaded already, if it is.
    """

    def __init__(
        self,
        store: SnapshotStore,
        model: Identity,
        device: Device,
        metrics: Metrics,
        snapshot: Snapshot | None = None,
    ) -> None:
        self._store = store
        self._model = model
        self._device = device
        self._metrics = metrics
        self._current: Snapshot | None = None
        self._refusal: Refusal | None = None
        self._seen: _Signature | None = None
        self._retry_at = float("inf")
        self._one_at_a_time = asyncio.Lock()
        if snapshot is not None:
            self._take(snapshot)

    @property
    def current(self) -> Snapshot | None:
        """The live snapshot; None before the first."""
        return self._current

    @property
    def refusal(self) -> Refusal | None:
        """The published snapshot, if it is not the live one, and why it is not."""
        return self._refusal

    def require(self) -> Snapshot:
        """The live snapshot; raises NotReadyError when there is none."""
        if self._current is None:
            raise NotReadyError(self.why_missing())
        return self._current

    def why_missing(self) -> str:
        """Why there is no live snapshot."""
        return self._refusal.reason if self._refusal else f"no index was published in {self._store.root} yet"

    async def follow(self, interval_s: float) -> None:
        """Refresh whenever the published version changes, until cancelled."""
        while True:
            try:
                await self.refresh()
            except Exception:
                # Whatever it is, the live snapshot stays good and the next look may succeed.
                _log.exception("cannot follow the index")
            await asyncio.sleep(interval_s)

    async def refresh(self, *, force: bool = False) -> None:
        """Take the published snapshot if it is another one and fits; else remember why not.

        Args:
            force: look even if CURRENT is the file that was looked at before.
        """
        async with self._one_at_a_time:
            signature = await asyncio.to_thread(self._signature)
            due = time.monotonic() >= self._retry_at
            if signature is None or (signature == self._seen and not due and not force):
                return
            self._retry_at = float("inf")
            await self._refresh()
            self._seen = signature

    async def take_published(self) -> Snapshot:
        """Take what was just published, at once; raises NotReadyError if it was refused."""
        await self.refresh(force=True)
        if self._refusal is not None:
            raise NotReadyError(f"the service did not take the published index: {self._refusal.reason}")
        return self.require()

    async def _refresh(self) -> None:
        version = None
        try:
            version = await asyncio.to_thread(self._store.current_version)
            if self._current is not None and self._current.manifest.version == version:
                self._refusal = None
                return
            gently = self._current is not None
            load = partial(load_matching, self._store, self._model, self._device, gently=gently)
            self._take(await asyncio.to_thread(load))
        except SnapshotMismatchError as error:
            self._refuse(Refusal(version, str(error)))
        except FeelalikeError as error:
            self._retry_at = time.monotonic() + RETRY_S
            self._refuse(Refusal(version, str(error)))

    def _take(self, snapshot: Snapshot) -> None:
        self._current = snapshot
        self._refusal = None
        manifest = snapshot.manifest
        self._metrics.index(manifest.version, manifest.model_id, manifest.count)
        _log.info("index version=%s pictures=%d is live", manifest.version, manifest.count)

    def _refuse(self, refusal: Refusal) -> None:
        if refusal != self._refusal:
            live = self._current.manifest.version if self._current else None
            _log.error("index version=%s refused, version=%s stays live: %s", refusal.version, live, refusal.reason)
            self._metrics.snapshot_refused()
        self._refusal = refusal

    def _signature(self) -> _Signature | None:
        """Changes whenever CURRENT is replaced; cheaper than reading it."""
        try:
            stat = (self._store.root / CURRENT).stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_mtime_ns, stat.st_size
