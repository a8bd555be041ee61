import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from emotion.errors import DataError, EmptyGalleryError, StoreLockedError, StoreMissingError
from fakes import DIM, encoded, tiny_predictor, write_gallery
from index.catalog import PictureState
from index.embed import N_STREAMS
from index.gallery import GalleryRoot
from index.progress import Progress, Stage
from index.rebuild import rebuild
from index.spec import IndexChoice, IndexKind, WantedKind
from index.store import SnapshotStore, StagedSnapshot

TESTS = Path(__file__).parents[1]


class StopBuildError(Exception):
    """Stands for whatever ends a build: Ctrl-C, a full disk, a kill."""


def n_embedded(predictor) -> int:
    return sum(predictor.runtime.batch_sizes)


def rebuilt_counts(store, predictor, **options) -> tuple[int, int]:
    counts = rebuild(store, predictor, **options).manifest.counts
    return counts.embedded, counts.reused


def stop_at(stage: Stage, done: int):
    def listen(event: Progress) -> None:
        if (event.stage, event.done) == (stage, done):
            raise StopBuildError

    return listen


def paths_in_index(store) -> set[str]:
    return {entry.path.name for entry in store.catalog.get_many(store.load().ids).values()}


def test_every_picture_finds_itself(built, predictor, gallery):
    snapshot = built.load()
    assert len(snapshot.ids) == built.catalog.count() == 6
    for path in sorted(gallery.rglob("*.png")):
        (hits,) = snapshot.index.search(predictor.predict([path]).embeddings, 1)
        entry = built.catalog.get(hits.ids[0])
        assert (entry.path, entry.label) == (path, path.parent.name)
        assert hits.distances[0] < 1e-6


def test_probabilities_lie_beside_their_vectors(built, predictor, gallery):
    snapshot = built.load()
    for row, item_id in enumerate(snapshot.ids):
        alone = predictor.predict([built.catalog.get(item_id).path])
        np.testing.assert_allclose(snapshot.probabilities[row], alone.probabilities[0], atol=1e-6)


def test_progress_goes_through_all_stages(store, predictor, gallery):
    events: list[Progress] = []
    rebuild(store, predictor, root=GalleryRoot(path=gallery), batch_size=4, on_progress=events.append)
    assert [event for event in events if event.stage is Stage.EMBED] == [
        Progress(Stage.EMBED, 4, 6),
        Progress(Stage.EMBED, 6, 6),
    ]
    assert list(dict.fromkeys(event.stage for event in events)) == list(Stage)


def test_nothing_changed_embeds_nothing(built, predictor):
    assert rebuilt_counts(built, predictor) == (0, 6)
    assert n_embedded(predictor) == 6


def test_only_new_and_changed_pictures_are_embedded(built, predictor, gallery):
    (gallery / "awe/0000.png").write_bytes(encoded(100))
    (gallery / "fear/new.png").write_bytes(encoded(101))
    assert rebuilt_counts(built, predictor) == (2, 5)
    assert n_embedded(predictor) == 8


def test_moved_pictures_are_reused_with_their_new_path_and_label(built, predictor, gallery):
    (gallery / "awe/0000.png").rename(gallery / "fear/renamed.png")
    assert rebuilt_counts(built, predictor) == (0, 6)
    labels = {e.path.name: e.label for e in built.catalog.get_many(built.load().ids).values()}
    assert labels["renamed.png"] == "fear"
    assert "0000.png" not in labels


def test_a_touched_file_is_hashed_again_but_not_embedded(built, predictor, gallery):
    os.utime(gallery / "awe/0000.png", ns=(1, 1))
    assert rebuilt_counts(built, predictor) == (0, 6)


def test_equal_contents_are_one_entry(store, predictor, gallery):
    shutil.copy(gallery / "awe/0000.png", gallery / "fear/copy.png")
    manifest = rebuild(store, predictor, root=GalleryRoot(path=gallery)).manifest
    assert (manifest.count, manifest.counts.duplicates) == (6, 1)
    assert "copy.png" not in paths_in_index(store)


def test_vanished_originals_leave_the_index_but_old_snapshots_still_resolve(built, predictor, gallery):
    before = built.load().ids
    (gallery / "awe/0000.png").unlink()
    assert rebuild(built, predictor).manifest.count == 5
    assert "0000.png" not in paths_in_index(built)
    built.rollback()
    assert built.load().ids == before
    entries = built.catalog.get_many(before)
    assert [e.path.name for e in entries.values() if e.state is PictureState.GONE] == ["0000.png"]
    assert len(entries) == 6


def test_deleted_pictures_do_not_come_back(built, predictor):
    deleted = built.load().ids[0]
    built.catalog.set_state(deleted, PictureState.DELETED)
    assert rebuild(built, predictor).manifest.count == 5
    assert built.load().row_of(deleted) is None


def test_the_kind_of_index_is_remembered(store, predictor, gallery):
    root = GalleryRoot(path=gallery)
    first = rebuild(store, predictor, root=root, kind=WantedKind.IVF, recall=0.95).manifest.index
    assert (first.kind, first.ivf.target_recall) == (IndexKind.IVF, 0.95)
    assert rebuild(store, predictor).manifest.index == first
    assert rebuild(store, predictor, root=root).manifest.index == first
    assert rebuild(store, predictor, recall=0.9).manifest.index.ivf.target_recall == 0.9
    assert rebuild(store, predictor, kind=WantedKind.AUTO).manifest.index.kind is IndexKind.FLAT
    assert store.config().index == IndexChoice(kind=WantedKind.AUTO, recall=0.9)


def test_a_store_from_before_there_were_kinds_builds(built, predictor):
    file = built.root / "store.json"
    content = json.loads(file.read_text())
    del content["index"]
    file.write_text(json.dumps(content))
    assert rebuild(built, predictor).manifest.index.kind is IndexKind.FLAT


def test_a_damaged_store_json_is_mended_by_naming_the_gallery(built, predictor, gallery):
    (built.root / "store.json").write_text("{")
    assert rebuild(built, predictor, root=GalleryRoot(path=gallery)).manifest.count == 6


def test_another_model_embeds_everything_again(built, tmp_path):
    other = tiny_predictor(tmp_path, salt="other")
    assert rebuilt_counts(built, other) == (6, 0)
    assert built.load().manifest.model_id == other.model_id


def test_uploads_are_indexed_and_keep_what_the_catalog_says(built, predictor):
    built.uploads.mkdir()
    (built.uploads / "mine.png").write_bytes(encoded(50))
    rebuild(built, predictor)
    (upload,) = [e for e in built.catalog.get_many(built.load().ids).values() if e.path.name == "mine.png"]
    assert upload.path == built.uploads / "mine.png"
    built.catalog.update([type(upload)(**{**vars(upload), "label": "awe", "metadata": {"by": "me"}})])
    rebuild(built, predictor)
    kept = built.catalog.get(upload.id)
    assert (kept.label, kept.metadata) == ("awe", {"by": "me"})


def test_bad_files_are_skipped_and_listed(store, predictor, gallery):
    (gallery / "awe/text.jpg").write_text("no picture")
    (gallery / "awe/empty.png").touch()
    (gallery / "awe/dangling.png").symlink_to(gallery / "nowhere")
    (gallery / "awe/cut.png").write_bytes(encoded(7)[:200])
    built = rebuild(store, predictor, root=GalleryRoot(path=gallery))
    assert (built.manifest.count, built.manifest.counts.skipped) == (6, 3)
    reasons = {Path(path).name: reason for path, reason in built.skipped}
    assert "is not a JPEG, PNG or WebP" in reasons["text.jpg"]
    assert "empty" in reasons["empty.png"]
    assert "cannot be decoded" in reasons["cut.png"]


def test_a_name_that_is_not_utf8_is_skipped(store, predictor, gallery):
    shutil.copy(gallery / "awe/0000.png", os.fsencode(gallery) + b"/awe/caf\xe9.png")
    built = rebuild(store, predictor, root=GalleryRoot(path=gallery))
    assert built.manifest.count == 6
    assert [skipped.reason for skipped in built.skipped] == ["its name is not valid UTF-8; rename it"]
    assert built.skipped[0].path.encode().endswith("caf�.png".encode())


def test_a_manifest_naming_a_missing_file_goes_on(store, predictor, gallery):
    (gallery / "manifest.csv").write_text("path,mood,year\nawe/0000.png,calm,1920\nlost.png,calm,\n")
    built = rebuild(store, predictor, root=GalleryRoot(path=gallery, label_column="mood"))
    assert built.manifest.count == 1
    assert [Path(path).name for path, _ in built.skipped] == ["lost.png"]
    (entry,) = store.catalog.get_many(store.load().ids).values()
    assert (entry.label, entry.metadata) == ("calm", {"year": "1920"})
    assert rebuild(store, predictor).manifest.count == 1, "the label column is remembered"


class Rewriting:
    """A predictor in whose hands a file changes."""

    def __init__(self, predictor, victim: Path) -> None:
        self._predictor, self._victim = predictor, victim

    def __getattr__(self, name):
        return getattr(self._predictor, name)

    def prepare(self, source: Path):
        if source == self._victim:
            source.write_bytes(encoded(99))
        return self._predictor.prepare(source)


def test_a_file_that_changes_under_the_build_gets_no_wrong_id(store, predictor, gallery):
    victim = gallery / "awe/0000.png"
    built = rebuild(store, Rewriting(predictor, victim), root=GalleryRoot(path=gallery))
    assert built.manifest.count == 5
    assert "changed while" in built.skipped[0].reason
    assert rebuild(store, predictor).manifest.count == 6


class Unsteady:
    """A predictor whose vectors of a batch's first picture are NaN, or whose decoder has a bug."""

    def __init__(self, predictor, *, broken_decoder: bool = False) -> None:
        self._predictor, self._broken_decoder = predictor, broken_decoder

    def __getattr__(self, name):
        return getattr(self._predictor, name)

    def prepare(self, source: Path):
        if self._broken_decoder and source.name == "0000.png":
            raise ZeroDivisionError("odd header")
        return self._predictor.prepare(source)

    def infer(self, pixels):
        predictions = self._predictor.infer(pixels)
        if not self._broken_decoder:
            predictions.embeddings[0] = np.nan
        return predictions


@pytest.mark.parametrize(("broken_decoder", "reason"), [(False, "not finite"), (True, "ZeroDivisionError: odd header")])
def test_one_odd_picture_costs_only_itself(store, predictor, gallery, broken_decoder, reason):
    embedder = Unsteady(predictor, broken_decoder=broken_decoder)
    built = rebuild(store, embedder, root=GalleryRoot(path=gallery))
    assert built.manifest.count == 5
    assert [reason in skipped.reason for skipped in built.skipped] == [True]


def test_an_empty_gallery_says_what_was_looked_for(store, predictor, tmp_path):
    (tmp_path / "gallery").mkdir()
    with pytest.raises(EmptyGalleryError, match=r"no usable JPEG, PNG or WebP picture .* in .*gallery"):
        rebuild(store, predictor, root=GalleryRoot(path=tmp_path / "gallery"))
    (tmp_path / "gallery/a.png").write_text("no picture")
    with pytest.raises(EmptyGalleryError, match=r"1 skipped, the first: .*a\.png"):
        rebuild(store, predictor, root=GalleryRoot(path=tmp_path / "gallery"))
    assert store.current_version() is None


def test_a_gallery_that_vanished_leaves_the_index_alone(built, predictor, gallery):
    version = built.current_version()
    gallery.rename(gallery.with_name("unmounted"))
    with pytest.raises(DataError, match="neither a folder nor"):
        rebuild(built, predictor)
    assert built.current_version() == version
    assert built.catalog.count() == 6


def test_without_a_gallery_it_asks_for_one(store, predictor):
    with pytest.raises(StoreMissingError, match="--gallery"):
        rebuild(store, predictor)


def test_a_failed_build_does_not_change_the_remembered_gallery(built, predictor, tmp_path, gallery):
    with pytest.raises(DataError):
        rebuild(built, predictor, root=GalleryRoot(path=tmp_path / "typo"))
    assert built.config().roots == (GalleryRoot(path=gallery),)


def test_store_and_gallery_can_be_moved_together(store, predictor, gallery, tmp_path):
    rebuild(store, predictor, root=GalleryRoot(path=Path("../gallery")))
    moved = tmp_path / "moved"
    moved.mkdir()
    shutil.move(store.root, moved / "store")
    shutil.move(gallery, moved / "gallery")
    there = SnapshotStore(moved / "store")
    assert all(entry.path.is_file() for entry in there.catalog.get_many(there.load().ids).values())
    assert rebuilt_counts(there, predictor) == (0, 6)


def test_an_interrupted_build_goes_on_where_it_stopped(store, predictor, gallery):
    root = GalleryRoot(path=gallery)
    with pytest.raises(StopBuildError):
        rebuild(store, predictor, root=root, batch_size=2, on_progress=stop_at(Stage.EMBED, 4))
    assert store.current_version() is None
    embedded_before = n_embedded(predictor)
    assert embedded_before >= 4  # what streams had in work beside it is done again
    assert rebuilt_counts(store, predictor, root=root) == (2, 4)
    assert n_embedded(predictor) == embedded_before + 2
    assert not store.partial.exists()


def test_a_journal_of_another_model_is_not_mixed_in(store, predictor, gallery, tmp_path):
    root = GalleryRoot(path=gallery)
    with pytest.raises(StopBuildError):
        rebuild(store, predictor, root=root, batch_size=2, on_progress=stop_at(Stage.EMBED, 4))
    assert rebuilt_counts(store, tiny_predictor(tmp_path, salt="other"), root=root) == (6, 0)


@pytest.mark.parametrize("stage", list(Stage))
def test_interrupted_at_any_stage_every_live_id_resolves(built, predictor, gallery, stage):
    before = built.current_version()
    (gallery / "awe/0000.png").unlink()
    (gallery / "awe/new.png").write_bytes(encoded(100))
    with pytest.raises(StopBuildError):
        rebuild(built, predictor, on_progress=stop_at(stage, 1 if stage is Stage.EMBED else 6))
    assert (built.current_version() == before) is (stage is not Stage.PUBLISH)
    live = built.load().ids
    assert built.catalog.get_many(live).keys() == set(live)
    assert rebuild(built, predictor).manifest.count == 6
    assert n_embedded(predictor) == 7


class DyingStore(SnapshotStore):
    """Dies after the catalog was updated, before CURRENT moves."""

    def publish(self, staged: StagedSnapshot) -> None:
        raise StopBuildError


def test_dying_between_catalog_and_pointer_keeps_the_old_snapshot(built, predictor, gallery):
    before = built.load()
    (gallery / "awe/0000.png").unlink()
    (gallery / "awe/new.png").write_bytes(encoded(100))
    with pytest.raises(StopBuildError):
        rebuild(DyingStore(built.root), predictor)
    assert built.load().ids == before.ids
    assert len(built.catalog.get_many(before.ids)) == 6


def test_a_killed_build_leaves_the_live_snapshot_and_no_lock(built, predictor, gallery, tmp_path):
    """A real process, ended without any clean-up between stage and publish."""
    before = built.current_version()
    (gallery / "awe/new.png").write_bytes(encoded(100))
    script = f"""
        import os
        from pathlib import Path
        from fakes import tiny_predictor
        from index.rebuild import rebuild
        from index.store import SnapshotStore

        def die(event):
            if event.stage == "build" and event.done:
                os._exit(9)

        rebuild(SnapshotStore(Path({str(built.root)!r})), tiny_predictor(Path({str(tmp_path)!r})), on_progress=die)
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent)])}
    process = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], env=environment, check=False)
    assert process.returncode == 9
    assert built.current_version() == before
    assert built.verify().count == 6
    assert len(list(built.snapshots.glob(".staging-*"))) == 1
    assert rebuilt_counts(built, predictor) == (0, 7), "the journal kept what the dead build had embedded"
    assert list(built.snapshots.glob(".staging-*")) == []


def test_a_damaged_snapshot_is_healed_by_a_rebuild(built, predictor):
    (built.snapshots / built.current_version() / "vectors.npy").unlink()
    assert rebuilt_counts(built, predictor) == (6, 0)
    built.verify()


def test_a_locked_store_is_left_alone(built, predictor):
    with built.writer_lock(), pytest.raises(StoreLockedError):
        rebuild(SnapshotStore(built.root), predictor)


def test_old_versions_are_pruned(built, predictor):
    for _ in range(4):
        rebuild(built, predictor)
    assert len(built.versions()) == 3
    assert built.versions()[-1] == built.current_version()


def test_batches_are_full_and_memory_is_bounded(store, predictor, tmp_path):
    """Decoding runs at most a batch ahead of what all streams have in work and waiting."""
    write_gallery(tmp_path / "large", 40)

    class Counting:
        n_prepared = 0
        furthest = 0

        def __getattr__(self, name):
            return getattr(predictor, name)

        def prepare(self, source):
            self.n_prepared += 1
            return predictor.prepare(source)

        def infer(self, pixels):
            self.furthest = max(self.furthest, self.n_prepared - n_embedded(predictor))
            return predictor.infer(pixels)

    counting = Counting()
    manifest = rebuild(store, counting, root=GalleryRoot(path=tmp_path / "large"), batch_size=4).manifest
    assert (manifest.count, manifest.dim) == (40, DIM)
    assert predictor.runtime.batch_sizes == [4] * 10
    assert counting.furthest <= 2 * (N_STREAMS + 1) * 4
