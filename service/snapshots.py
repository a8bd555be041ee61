"""The live gallery: a snapshot followed on disk, checked before it is taken, with what was added since.

A request takes the handle once and keeps it to its end; a swap meanwhile only changes what the next request sees.
"""

import asyncio
import logging
import time
from typing import Final, NamedTuple

from emotion.errors import FeelalikeError, SnapshotMismatchError, StoreReadError
from emotion.runtime import Device
from index.delta import DeltaReader
from index.manifest import Identity, SnapshotManifest, check_matches
from index.snapshot import Snapshot
from index.store import CURRENT, SnapshotStore
from index.view import Searchable, follow, joined
from service.errors import NotReadyError
from service.metrics import Metrics

RETRY_S: Final = 30.0
"""How long a snapshot that could not be read is left alone; one of another model is not tried again at all."""

_log = logging.getLogger("feelalike.index")

_Signature = tuple[int, int, int]


class _Live(NamedTuple):
    """A snapshot, what follows the pictures added to it, and both as one."""

    snapshot: Snapshot
    added: DeltaReader
    gallery: Searchable


class Refusal(NamedTuple):
    """A published snapshot that was not taken."""

    version: str | None
    reason: str


def load_matching(store: SnapshotStore, model: Identity, device: Device, *, gently: bool = False) -> Snapshot:
    """Load the published snapshot if this model made it; gently while another one answers requests.

    Raises:
        SnapshotMismatchError: another model made it; found from the manifest, before the vectors are read.
        StoreMissingError, SnapshotCorruptError: there is none, or it is damaged.
        StoreReadError: the catalog that belongs to it is lost or cannot be read.
    """
    check_fits(store.manifest(), model)
    if not store.catalog.has_pictures():
        raise StoreReadError(store.catalog.why_lost())
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
        self._live: _Live | None = None
        self._refusal: Refusal | None = None
        self._trouble: str | None = None
        self._loss: str | None = None
        self._seen: _Signature | None = None
        self._retry_at = float("inf")
        self._one_at_a_time = asyncio.Lock()
        self._one_reader = asyncio.Lock()
        if snapshot is not None:
            self._take(self._with_added(snapshot))

    @property
    def current(self) -> Searchable | None:
        """The live snapshot with what was added since; None before the first."""
        return self._live.gallery if self._live else None

    @property
    def refusal(self) -> Refusal | None:
        """The published snapshot, if it is not the live one, and why it is not."""
        return self._refusal

    @property
    def damaged(self) -> frozenset[str]:
        """Added pictures whose numbers in the catalog are damaged."""
        return self._live.added.damaged if self._live else frozenset()

    @property
    def trouble(self) -> str | None:
        """Why the catalog cannot be read, without which no search is answered; None while it can."""
        return self._trouble

    @property
    def loss(self) -> str | None:
        """That the catalog has vanished beneath the live snapshot, which is searched on without it; None otherwise."""
        return self._loss

    def require(self) -> Searchable:
        """The live gallery; raises NotReadyError when there is none."""
        if self._live is None:
            raise NotReadyError(self.why_missing())
        return self._live.gallery

    def why_missing(self) -> str:
        """Why there is no live snapshot."""
        return self._refusal.reason if self._refusal else "no index was published yet"

    async def follow(self, interval_s: float) -> None:
        """Take whatever is published or added, until cancelled."""
        while True:
            try:
                await self.refresh()
                await self.see_added()
                self._loss = await asyncio.to_thread(self._why_lost)
                self._trouble = None
            except StoreReadError as error:
                if self._trouble != str(error):  # said once, not at every look
                    _log.error("%s", error)
                self._trouble = str(error)
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

    async def see_added(self) -> None:
        """Let the next request see every picture added so far, by this process or another."""
        async with self._one_reader:
            if self._live is not None:
                before, live = self._live, await asyncio.to_thread(_seen_again, self._live)
                if live.gallery is not before.gallery:
                    self._take(live)

    async def take_published(self) -> Searchable:
        """Take what was just published, at once; raises NotReadyError if it was refused."""
        await self.refresh(force=True)
        if self._refusal is not None:
            raise NotReadyError(f"the service did not take the published index: {self._refusal.reason}")
        return self.require()

    async def _refresh(self) -> None:
        version = None
        try:
            version = await asyncio.to_thread(self._store.current_version)
            if self._live is not None and self._live.snapshot.manifest.version == version:
                self._refusal = None
                return
            while not await self._take_loaded():
                pass
            self._refusal = None
        except SnapshotMismatchError as error:
            self._refuse(Refusal(version, str(error)))
        except FeelalikeError as error:
            self._retry_at = time.monotonic() + RETRY_S
            self._refuse(Refusal(version, str(error)))

    async def _take_loaded(self) -> bool:
        """Load and take; False if the version was pruned meanwhile, and with it the added rows that it alone needed."""
        published = await asyncio.to_thread(self._store.current_version)
        live = await asyncio.to_thread(self._load)
        async with self._one_reader:
            # Once more: a picture added while the snapshot was loaded was answered from the one before.
            live = await asyncio.to_thread(_seen_again, live)
            if await asyncio.to_thread(self._is_pruned, live.snapshot.manifest.version, published):
                return False
            self._take(live)
        return True

    def _is_pruned(self, version: str, published: str | None) -> bool:
        """Only where another one was published since; a folder that somebody renamed has no such excuse."""
        return version not in self._store.versions() and self._store.current_version() != published

    def _load(self) -> _Live:
        gently = self._live is not None
        return self._with_added(load_matching(self._store, self._model, self._device, gently=gently))

    def _with_added(self, snapshot: Snapshot) -> _Live:
        return _seen_again(_Live(snapshot, follow(snapshot, self._store.catalog), snapshot))

    def _take(self, live: _Live) -> None:
        before = self._live.snapshot if self._live else None
        self._live = live
        manifest, count = live.snapshot.manifest, len(live.gallery.ids)
        self._metrics.index(manifest.version, manifest.model_id, count)
        if live.snapshot is not before:
            _log.info("index version=%s pictures=%d is live", manifest.version, count)

    def _refuse(self, refusal: Refusal) -> None:
        if refusal != self._refusal:
            live = self._live.snapshot.manifest.version if self._live else None
            _log.error("index version=%s refused, version=%s stays live: %s", refusal.version, live, refusal.reason)
            self._metrics.snapshot_refused()
        self._refusal = refusal

    def _why_lost(self) -> str | None:
        if self._live is None or self._store.catalog.has_pictures():
            return None
        return self._store.catalog.why_lost()

    def _signature(self) -> _Signature | None:
        """Changes whenever CURRENT is replaced; cheaper than reading it."""
        try:
            stat = (self._store.root / CURRENT).stat()
        except OSError:
            return None
        return stat.st_ino, stat.st_mtime_ns, stat.st_size


def _seen_again(live: _Live) -> _Live:
    """With what was added since; the same gallery while nothing was."""
    delta = live.added.refresh()
    is_same = len(delta) == len(live.gallery.ids) - len(live.snapshot.ids)
    return live if is_same else live._replace(gallery=joined(live.snapshot, delta))
