"""Adding, deleting, compacting, rolling back: nothing is lost and nothing returns."""

import sqlite3
from contextlib import closing

import numpy as np
import pytest

from emotion.errors import EmptyGalleryError, ExternalIdTakenError, PictureError, StoreError
from fakes import encoded, tiny_predictor
from index.additions import NewPicture, add_picture, embed_picture, remove_picture
from index.catalog import Catalog, PictureState
from index.compact import compact
from index.delta import Delta, read_rows
from index.embed import made_with
from index.lookups import active_after, find_external
from index.progress import Stage
from index.rebuild import rebuild
from index.schema import _STEPS
from index.store import SnapshotStore
from index.view import follow, joined

SCHEMA_1 = """
CREATE TABLE pictures (
    id TEXT PRIMARY KEY, path TEXT NOT NULL, label TEXT, metadata TEXT NOT NULL, sha256 TEXT NOT NULL,
    size_bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, state TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE files (
    path TEXT PRIMARY KEY, size_bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, sha256 TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO pictures VALUES ('ab', '/a.png', 'awe', '{"by": "me"}', 'abab', 1, 2, 'active');
INSERT INTO files VALUES ('/a.png', 1, 2, 'abab');
PRAGMA user_version = 1;
"""


@pytest.fixture
def add(built, predictor):
    """Adds a picture of a seed; gives what became of it."""

    def run(seed: int, **said):
        new = NewPicture(encoded(seed), **said)
        return add_picture(built, new, embed_picture(predictor, new), made_with(predictor))

    return run


def view(store: SnapshotStore):
    """The gallery as a process that starts now sees it."""
    snapshot = store.load()
    return joined(snapshot, follow(snapshot, store.catalog).refresh())


def shown(store: SnapshotStore) -> set[str]:
    """Ids that a search for everything gives, without the deleted ones."""
    gallery = view(store)
    (hits,) = gallery.index.search(np.asarray(gallery.vectors[0])[None], len(gallery.ids))
    assert len(set(hits.ids)) == len(hits.ids)
    return set(hits.ids) - store.catalog.ids(PictureState.DELETED)


def delta_size(store: SnapshotStore) -> int:
    return len(store.catalog.select("SELECT id FROM added"))


def test_added_is_found_at_its_place_and_by_another_process(built, add, predictor):
    before = shown(built)
    added = add(50, label="awe", metadata={"by": "me"}, external_id="x-50")
    assert added.created
    assert (added.entry.label, added.entry.metadata, added.entry.external_id) == ("awe", {"by": "me"}, "x-50")
    assert added.entry.path.read_bytes() == encoded(50)
    elsewhere = SnapshotStore(built.root)
    assert shown(elsewhere) == before | {added.entry.id}
    query = predictor.predict([encoded(50)]).embeddings
    gallery = view(elsewhere)
    (hits,) = gallery.index.search(query, 3)
    exact = np.linalg.norm(np.array(list(gallery.vectors), np.float64) - query[0], axis=1)
    order = np.lexsort((np.array(list(gallery.ids)), exact))[:3]
    assert hits.ids == tuple(gallery.ids[int(row)] for row in order)
    np.testing.assert_array_equal(hits.rows, order)
    assert (hits.ids[0], hits.distances[0]) == (added.entry.id, 0)
    assert gallery.row_of(added.entry.id) == 6
    assert find_external(built.catalog, "x-50").id == added.entry.id


def test_the_same_picture_twice_is_one_entry(built, add):
    first = add(50, label="awe")
    again = add(50, label="fear", external_id="other")
    assert not again.created
    assert again.entry == first.entry
    in_gallery = add(0)
    assert not in_gallery.created
    assert len(shown(built)) == 7


def test_removed_is_gone_with_its_file_and_comes_back_when_added_again(built, add):
    added = add(50, label="awe", external_id="x")
    assert remove_picture(built, added.entry.id)
    assert not added.entry.path.exists()
    assert added.entry.id not in shown(built)
    assert delta_size(built) == 0
    assert not remove_picture(built, added.entry.id)
    assert not remove_picture(built, "unknown")
    again = add(50, external_id="x")
    assert again.created
    assert (again.entry.label, again.entry.state) == (None, PictureState.ACTIVE)
    assert added.entry.id in shown(built)


def test_deleted_before_a_build_looks_and_added_again_before_it_publishes(built, predictor, add):
    """The build has found no file of it, and would hide a picture that is there."""
    added = add(50)
    rebuild(built, predictor)

    class Meanwhile(Catalog):
        def ids(self, state):
            found = super().ids(state)
            if state is PictureState.ACTIVE:
                remove_picture(built, added.entry.id)
            return found

    def add_again(event):
        if event.stage is Stage.BUILD and not event.done:
            assert add(50).created

    store = SnapshotStore(built.root)
    store.catalog = Meanwhile(built.catalog.path, built.root)
    rebuild(store, predictor, on_progress=add_again)
    assert built.catalog.get(added.entry.id).state is PictureState.ACTIVE
    assert added.entry.id in shown(built)


def test_an_original_of_the_gallery_stays_on_disk_and_left_out(built, predictor, gallery):
    (item_id,) = [e.id for e in built.catalog.get_many(built.load().ids).values() if e.path.name == "0000.png"]
    assert remove_picture(built, item_id)
    assert (gallery / "awe/0000.png").is_file()
    rebuild(built, predictor)
    assert len(shown(built)) == 5
    assert item_id not in built.load().ids


def test_external_ids_are_not_shared(built, add):
    first = add(50, external_id="x")
    with pytest.raises(ExternalIdTakenError, match=first.entry.id):
        add(51, external_id="x")
    assert len(shown(built)) == 7
    assert not list(built.uploads.glob("*/*51*"))
    remove_picture(built, first.entry.id)
    assert add(51, external_id="x").created


def test_bytes_that_are_no_picture_are_not_written(built, predictor):
    new = NewPicture(b"no picture")
    with pytest.raises(PictureError):
        embed_picture(predictor, new)
    assert not built.uploads.exists()


@pytest.mark.parametrize("fold", [lambda store, _: compact(store), rebuild], ids=["compact", "rebuild"])
def test_folding_in_keeps_every_answer(built, add, predictor, fold, monkeypatch):
    kept, doomed = add(50, label="awe"), add(51)
    old = next(iter(built.load().ids))
    remove_picture(built, doomed.entry.id)
    remove_picture(built, old)
    before = shown(built)
    assert len(before) == 6
    batches = len(predictor.runtime.batch_sizes)
    fold(built, predictor)
    assert len(predictor.runtime.batch_sizes) == batches, "no picture is embedded again"
    snapshot = built.load()
    assert set(snapshot.ids) == shown(built) == before
    assert built.catalog.get(kept.entry.id).label == "awe"
    assert delta_size(built) == 1, "the version before does not hold it"
    assert len(follow(snapshot, built.catalog).refresh()) == 0
    for _ in range(2):
        fold_again = rebuild(built, predictor).manifest
    assert set(built.load(fold_again.version).ids) == before
    assert delta_size(built) == 0, "all versions hold it"


def test_compacting_nothing_publishes_nothing(built):
    version = built.current_version()
    done = compact(built)
    assert (done.manifest.version, done.n_added, done.n_removed) == (version, 0, 0)
    assert built.versions() == [version]


def test_an_index_is_never_left_without_a_picture(built):
    for item_id in built.load().ids:
        remove_picture(built, item_id)
    with pytest.raises(EmptyGalleryError, match="every picture was deleted"):
        compact(built)
    assert shown(built) == set()


def test_a_rollback_neither_loses_nor_resurrects(built, add):
    old = built.load().ids[0]
    added, deleted_later = add(50), add(51)
    compact(built)
    remove_picture(built, old)
    remove_picture(built, deleted_later.entry.id)
    expected = shown(built)
    assert added.entry.id in expected
    built.rollback()
    assert added.entry.id not in built.load().ids
    assert shown(built) == expected
    compact(built)
    assert set(built.load().ids) == shown(built) == expected


def test_a_killed_compaction_changes_no_answer(built, add, monkeypatch):
    add(50)
    expected = shown(built)

    def die(*_):
        raise KeyboardInterrupt

    for step in ("index.store.SnapshotStore.stage", "index.store.SnapshotStore.publish", "index.compact.tidy"):
        with monkeypatch.context() as patched:
            patched.setattr(step, die)
            with pytest.raises(KeyboardInterrupt):
                compact(built)
        assert shown(built) == expected
    compact(built)
    assert shown(built) == expected


def test_what_comes_while_a_build_runs_is_kept(built, add, predictor):
    """Added and deleted between the scan and the publish, by callbacks of the build itself."""
    old = built.load().ids[0]
    came = []

    def meanwhile(event):
        if not came:
            came.append(add(50, label="awe").entry.id)
            remove_picture(built, old)

    rebuild(built, predictor, on_progress=meanwhile)
    assert built.catalog.get(came[0]).state is PictureState.ACTIVE
    assert old not in shown(built)
    assert came[0] in shown(built)
    assert len(shown(built)) == 6


def test_a_label_given_during_a_build_is_not_overwritten_by_it(built, add, predictor):
    item_id = add(50, label="awe").entry.id
    came = []

    def meanwhile(event):
        if not came and event.stage == "build":
            remove_picture(built, item_id)
            came.append(add(50, label="fear"))

    rebuild(built, predictor, on_progress=meanwhile)
    assert built.catalog.get(item_id).label == "fear"


def test_rows_of_another_model_are_not_mixed_in(built, add, tmp_path):
    item_id = add(50).entry.id
    other = tiny_predictor(tmp_path, "other")
    assert read_rows(built.catalog, made_with(other)).rows == []
    rebuild(built, other)
    assert item_id in built.load().ids, "embedded again, from its upload"
    built.rollback()
    assert item_id in shown(built), "the first model's own row was kept for its own version"


@pytest.mark.parametrize("field", ["vector", "probabilities", "checksum"])
def test_a_damaged_row_is_left_out_and_embedded_again(built, add, predictor, field):
    item_id = add(50).entry.id
    with built.catalog.writing() as connection:
        value = 0 if field == "checksum" else b"\0" * 32
        connection.execute(f"UPDATE added SET {field} = ?", (value,))  # noqa: S608
    snapshot = built.load()
    reader = follow(snapshot, built.catalog)
    assert len(reader.refresh()) == 0
    assert reader.damaged == {item_id}
    rebuild(built, predictor)
    assert item_id in shown(built)


def test_a_follower_sees_more_and_its_old_views_stay(built, add, monkeypatch):
    monkeypatch.setattr("index.delta._FIRST_CAPACITY", 2)
    snapshot = built.load()
    reader = follow(snapshot, built.catalog)
    empty = reader.refresh()
    assert joined(snapshot, empty) is snapshot
    first = add(50).entry.id
    one = reader.refresh()
    assert reader.refresh() is one
    for seed in range(51, 56):
        add(seed)
    many = reader.refresh()
    assert (len(empty), len(one), len(many)) == (0, 1, 6)
    np.testing.assert_array_equal(one.vectors[0], many.vectors[0])
    last = many.ids[-1]
    assert (one.row_of(first), one.row_of(last), many.row_of(last)) == (0, None, 5)


def test_pages_walk_all_active_pictures_once(built, add):
    removed = add(50).entry.id
    remove_picture(built, removed)
    seen, last = [], ""
    while page := active_after(built.catalog, last, 4):
        seen += [entry.id for entry in page]
        last = seen[-1]
    assert seen == sorted(built.load().ids)


@pytest.mark.parametrize("k", [1, 7, 200, 1000])
def test_the_nearest_of_the_delta_are_those_of_the_definition(clustered, k):
    vectors = clustered(500, dim=24)
    vectors[100:120] = vectors[7]  # ties, to be ordered by id
    ids = tuple(f"{(i * 7919) % 500:032x}" for i in range(500))
    delta = Delta(ids, vectors, np.zeros((500, 8), np.float32), {})
    for query in (vectors[7], vectors[3] / 2, -vectors[9]):
        hits = delta.nearest(query, k)
        distances = [np.float32(np.sqrt(((v.astype(np.float64) - query) ** 2).sum())) for v in vectors]
        order = sorted(range(500), key=lambda i: (distances[i], ids[i]))[:k]
        assert hits.ids == tuple(ids[i] for i in order)
        np.testing.assert_array_equal(hits.distances, np.array(distances)[order])


@pytest.fixture
def old_catalog(store):
    store.root.mkdir()
    with closing(sqlite3.connect(store.root / "catalog.sqlite")) as connection:
        connection.executescript(SCHEMA_1)
    return store.catalog


def schema(store) -> int:
    with closing(sqlite3.connect(store.root / "catalog.sqlite")) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


def test_a_catalog_of_schema_1_is_read_as_it_is(store, old_catalog):
    entry = old_catalog.get("ab")
    assert (entry.label, entry.metadata, entry.external_id) == ("awe", {"by": "me"}, None)
    assert find_external(old_catalog, "x") is None
    assert old_catalog.select("SELECT * FROM added") == []
    assert schema(store) == 1


def test_the_first_write_migrates_a_catalog_of_schema_1(store, old_catalog):
    before = old_catalog.get("ab"), old_catalog.hashed_files()
    assert old_catalog.set_state("ab", PictureState.GONE)
    assert schema(store) == 2
    old_catalog.set_state("ab", PictureState.ACTIVE)
    assert (old_catalog.get("ab"), old_catalog.hashed_files()) == before


def test_a_failed_migration_leaves_schema_1(store, old_catalog, monkeypatch):
    monkeypatch.setitem(_STEPS, 1, ("CREATE TABLE added (x)", "nonsense"))
    with pytest.raises(StoreError, match="nonsense"):
        old_catalog.set_state("ab", PictureState.GONE)
    assert schema(store) == 1
    assert old_catalog.get("ab").label == "awe"


def test_a_picture_whose_adding_was_cut_short_is_not_there(built, add, predictor, monkeypatch):
    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("index.additions._insert", die)
        with pytest.raises(KeyboardInterrupt):
            add(50)
    (left,) = built.uploads.rglob("*.png")
    assert len(shown(built)) == 6
    (skipped,) = rebuild(built, predictor).skipped
    assert skipped.path == str(left)
    assert "never added to the end" in skipped.reason
    assert len(shown(built)) == 6
    assert add(50).created
    assert rebuild(built, predictor).skipped == ()
    assert len(built.load().ids) == 7


def test_a_lost_catalog_costs_no_upload(built, add, predictor):
    item_id = add(50, label="awe").entry.id
    for file in built.root.glob("catalog.sqlite*"):
        file.unlink()
    rebuild(built, predictor)
    assert item_id in built.load().ids
    assert len(shown(built)) == 7


def test_the_copy_goes_too_where_the_gallery_got_the_same_picture(built, add, predictor, gallery):
    added = add(50, label="fear")
    (gallery / "awe/later.png").write_bytes(encoded(50))
    rebuild(built, predictor)
    entry = built.catalog.get(added.entry.id)
    assert (entry.path, entry.label) == (gallery / "awe/later.png", "awe")
    assert added.entry.path.is_file()
    remove_picture(built, added.entry.id)
    assert not added.entry.path.exists()
    assert entry.path.is_file()


def test_a_kept_connection_does_not_go_on_reading_schema_1_after_a_migration(store, old_catalog):
    with old_catalog.kept_open():
        assert old_catalog.select("SELECT * FROM added") == []
        with old_catalog.writing() as connection:
            connection.execute("INSERT INTO added VALUES (1, 'ab', 'm', 'fp32', x'', x'', 0)")
            connection.execute("UPDATE pictures SET external_id = 'x'")
        assert len(old_catalog.select("SELECT * FROM added")) == 1
        assert find_external(old_catalog, "x").id == "ab"
