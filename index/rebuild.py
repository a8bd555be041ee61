"""From a gallery to a published snapshot: scan, reuse, embed what is new, lay flat, build, publish.

The order at the end is what a crash may hit anywhere. The snapshot is staged first. Then the catalog learns the new
pictures and marks the vanished ones, whose rows stay; so the ids of the old snapshot and of the new one both resolve.
Only then CURRENT moves.
"""

from contextlib import closing
from dataclasses import dataclass

from emotion.errors import EmptyGalleryError, SnapshotCorruptError, StoreError, StoreMissingError
from emotion.runtime import Device
from index.catalog import CatalogEntry, PictureState
from index.compact import tidy
from index.delta import gallery_rows, read_rows
from index.durable import in_words
from index.embed import BATCH_SIZE, Embedder, embed_pictures, made_with
from index.gallery import GalleryRoot, StoreConfig, find_pictures
from index.journal import Journal
from index.manifest import BuildCounts, SnapshotManifest
from index.progress import OnProgress, Progress, Skipped, Stage, ignore
from index.projection import Layout, lay_flat
from index.rows import GalleryRows, KnownRows
from index.scan import scan_files
from index.snapshot import SnapshotDraft
from index.spec import IndexChoice, WantedKind
from index.store import SnapshotStore


@dataclass(frozen=True)
class Rebuilt:
    """What a build published and what it left out."""

    manifest: SnapshotManifest
    skipped: tuple[Skipped, ...]


def rebuild(
    store: SnapshotStore,
    embedder: Embedder,
    *,
    root: GalleryRoot | None = None,
    kind: WantedKind | None = None,
    recall: float | None = None,
    device: Device = Device.CPU,
    batch_size: int = BATCH_SIZE,
    on_progress: OnProgress = ignore,
) -> Rebuilt:
    """Index a store's gallery and uploads, embedding only new or changed pictures.

    Interrupted anywhere, by an exception or a kill, it leaves the live snapshot as it was, and the next call goes on
    from what was embedded.

    Args:
        store: where to publish.
        embedder: the model.
        root: the gallery from now on; the one in store.json by default.
        kind: kind of index from now on; that of the last build by default, at first `auto`.
        recall: recall@10 that an approximate index must reach, from now on; likewise.
        device: where the index will be searched; `auto` may choose another kind for a GPU.
        batch_size: pictures an inference.
        on_progress: told how far the build is; what it raises stops the build.

    Raises:
        StoreLockedError: another process is writing.
        StoreMissingError: no root was given and the store knows none.
        DataError: the root cannot be read.
        EmptyGalleryError: no picture could be used.
    """
    with store.writer_lock():
        try:
            config = _config(store, root, kind, recall)
            return _Build(store, embedder, config, device, batch_size, on_progress).run()
        except OSError as error:
            raise StoreError(f"cannot build the index in {store.root}: {in_words(error)}") from error


def _config(
    store: SnapshotStore, root: GalleryRoot | None, kind: WantedKind | None, recall: float | None
) -> StoreConfig:
    """What the store remembers, with what is new."""
    try:
        config = store.config()
    except StoreError:
        if root is None:
            raise
        config = StoreConfig(roots=(root,))
    wanted = {name: value for name, value in (("kind", kind), ("recall", recall)) if value is not None}
    choice = IndexChoice(**(config.index.model_dump() | wanted))
    return StoreConfig(roots=(root,) if root else config.roots, index=choice)


@dataclass(frozen=True)
class _Build:
    store: SnapshotStore
    embedder: Embedder
    config: StoreConfig
    device: Device
    batch_size: int
    on_progress: OnProgress

    def run(self) -> Rebuilt:
        store = self.store
        last_added, active = store.catalog.last_added(), store.catalog.ids(PictureState.ACTIVE)
        scan = scan_files(find_pictures(store.root, self.config), store.catalog, self.on_progress, active)
        journal = self._journal()
        known = KnownRows([self._added_rows(), *self._live_rows(), *journal.chunks()])
        missing = [picture for picture in scan.pictures if picture.id not in known]
        skipped = [*scan.skipped, *self._embed(missing, known, journal)]
        usable = [picture for picture in scan.pictures if picture.id in known]
        if not usable:
            raise self._empty_gallery(skipped)
        n_reused = len(scan.pictures) - len(missing)
        counts = BuildCounts(
            embedded=len(usable) - n_reused, reused=n_reused, duplicates=scan.n_duplicates, skipped=len(skipped)
        )
        manifest = self._publish(self._draft(known, usable, counts), usable, scan.gone, last_added)
        journal.discard()
        tidy(store)
        return Rebuilt(manifest, tuple(skipped))

    def _journal(self) -> Journal:
        embedder = self.embedder
        key = f"{embedder.model_id}-{embedder.precision}"
        return Journal(self.store.partial, key, embedder.dim, len(embedder.taxonomy.names))

    def _live_rows(self) -> list[GalleryRows]:
        """The live snapshot's rows if this model made them; a damaged snapshot is replaced, not an obstacle."""
        try:
            snapshot = self.store.load(device=Device.CPU)
        except (StoreMissingError, SnapshotCorruptError):
            return []
        embedder, manifest = self.embedder, snapshot.manifest
        made_by = (manifest.model_id, manifest.precision, manifest.dim)
        return [snapshot.rows] if made_by == (embedder.model_id, embedder.precision, embedder.dim) else []

    def _added_rows(self) -> GalleryRows:
        made = made_with(self.embedder)
        return gallery_rows(read_rows(self.store.catalog, made).rows, made)

    def _embed(self, missing: list[CatalogEntry], known: KnownRows, journal: Journal) -> list[Skipped]:
        skipped: list[Skipped] = []
        done = 0
        try:
            with closing(embed_pictures(missing, self.store.root, self.embedder, self.batch_size)) as batches:
                for rows, skipped_now in batches:
                    known.add(rows)
                    journal.append(rows)
                    skipped += skipped_now
                    done += len(rows) + len(skipped_now)
                    self.on_progress(Progress(Stage.EMBED, done, len(missing)))
        finally:
            journal.flush()
        return skipped

    def _draft(self, known: KnownRows, usable: list[CatalogEntry], counts: BuildCounts) -> SnapshotDraft:
        rows = known.gather([picture.id for picture in usable])
        return SnapshotDraft(
            rows=rows,
            model_id=self.embedder.model_id,
            precision=self.embedder.precision,
            taxonomy=self.embedder.taxonomy.names,
            counts=counts,
            choice=self.config.index,
            device=self.device,
            layout=self._lay_flat(rows),
        )

    def _lay_flat(self, rows: GalleryRows) -> Layout:
        count = len(rows)
        self.on_progress(Progress(Stage.MAP, 0, count))
        layout = lay_flat(
            rows.vectors, on_share=lambda share: self.on_progress(Progress(Stage.MAP, int(share * count), count))
        )
        self.on_progress(Progress(Stage.MAP, count, count))
        return layout

    def _publish(
        self, draft: SnapshotDraft, usable: list[CatalogEntry], gone: frozenset[str], last_added: int
    ) -> SnapshotManifest:
        count = len(usable)
        self.on_progress(Progress(Stage.BUILD, 0, count))
        staged = self.store.stage(draft)
        self.on_progress(Progress(Stage.BUILD, count, count))
        self.store.catalog.update(usable, gone, last_added)
        self.store.write_config(self.config)
        self.store.publish(staged)
        self.on_progress(Progress(Stage.PUBLISH, count, count))
        return staged.manifest

    def _empty_gallery(self, skipped: list[Skipped]) -> EmptyGalleryError:
        places = ", ".join(str(root.located(self.store.root)) for root in self.config.roots)
        message = f"nothing to index: no usable JPEG, PNG or WebP picture (.jpg .jpeg .png .webp) in {places}"
        if skipped:
            message += f"; {len(skipped)} skipped, the first: {skipped[0].path}: {skipped[0].reason}"
        return EmptyGalleryError(message)
