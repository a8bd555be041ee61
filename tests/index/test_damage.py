"""Damaged files of a store: what is read is right, or an error names the file and the way out."""

import contextlib
import re
import shutil
from pathlib import Path

import pytest

from damage import DAMAGES, cut, flip, to_folder
from emotion.errors import SnapshotCorruptError, StoreError, StoreReadError
from fakes import encoded, tiny_predictor, write_gallery
from index.additions import NewPicture, add_picture, embed_picture, remove_picture
from index.audit import audit
from index.catalog import PictureState
from index.embed import made_with
from index.gallery import GalleryRoot
from index.manifest import MANIFEST_NAME
from index.rebuild import rebuild
from index.snapshot import FILES
from index.store import SnapshotStore
from index.view import follow, joined

WAYS_OUT = ("index build", "index rollback", "build the index", "from a backup", "index remove")
NEW = [
    NewPicture(encoded(50), label="awe", external_id="mine"),
    NewPicture(encoded(51), label="awe"),
    NewPicture(encoded(52)),
]


def add(store, predictor, new) -> None:
    add_picture(store, new, embed_picture(predictor, new), made_with(predictor))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Two versions, of six pictures of a folder and one upload; another upload was added since, and one deleted."""
    folder = tmp_path_factory.mktemp("whole")
    predictor = tiny_predictor(folder)
    write_gallery(folder / "gallery", 6)
    store = SnapshotStore(folder / "store")
    rebuild(store, predictor, root=GalleryRoot(path=folder / "gallery"))
    add(store, predictor, NEW[0])
    add(store, predictor, NEW[2])
    rebuild(store, predictor)
    add(store, predictor, NEW[1])
    remove_picture(store, NEW[2].id)
    return store, predictor


@pytest.fixture
def store(whole, tmp_path) -> SnapshotStore:
    """A copy to be damaged."""
    shutil.copytree(whole[0].root, tmp_path / "store")
    return SnapshotStore(tmp_path / "store")


@pytest.fixture
def predictor(whole):
    return whole[1]


def everything(store: SnapshotStore) -> tuple[object, ...]:
    """What a service that starts now knows and answers."""
    snapshot = store.load()
    gallery = joined(snapshot, follow(snapshot, store.catalog).refresh())
    (hits,) = gallery.index.search(snapshot.vectors[:1], len(gallery.ids))
    if not store.catalog.has_pictures():
        raise StoreReadError(store.catalog.why_lost())
    return hits.ids, hits.distances.tolist(), store.catalog.get_many(hits.ids)


def files_of(store: SnapshotStore) -> dict[str, Path]:
    version = store.snapshots / store.current_version()
    return {name: version / name for name in (*FILES, MANIFEST_NAME)} | {
        name: store.root / name for name in ("CURRENT", "catalog.sqlite", "store.json")
    }


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", [*FILES, MANIFEST_NAME, "CURRENT", "catalog.sqlite"])
def test_what_is_damaged_is_named_or_harmless(store, name, damage):
    right, file = everything(store), files_of(store)[name]
    DAMAGES[damage](file)
    try:
        assert everything(store) == right
    except StoreError as error:
        problems = audit(store).problems
        assert problems
        for message in (str(error), problems[0]):
            assert name in message or "is missing from" in message, message  # CURRENT may name what never was
            assert any(way in message for way in WAYS_OUT), message


@pytest.mark.parametrize("damage", sorted(DAMAGES.keys() - {"a byte short"}))  # which is the end of the line
def test_a_damaged_store_json_is_named(store, damage):
    before = store.config()
    DAMAGES[damage](store.root / "store.json")
    with contextlib.suppress(StoreError):  # a flipped letter of a path is for `verify` to tell
        assert store.config() != before
    assert re.search(r"store\.json|knows no gallery yet|are not there", "".join(audit(store).problems))


@pytest.mark.parametrize("damage", ["missing", "empty", "cut in half"])
def test_a_rollback_finds_the_newest_version_without_a_pointer(store, damage):
    newest = store.current_version()
    DAMAGES[damage](store.root / "CURRENT")
    with pytest.raises(SnapshotCorruptError, match="index rollback"):
        store.load()
    assert store.rollback().version == newest
    assert audit(store).problems == []


@pytest.mark.parametrize("position", range(0, 100, 7))
def test_a_flipped_bit_in_the_catalog_loses_no_picture_silently(store, whole, position):
    """Texts aside: nothing vouches for a letter of a label."""
    before = store.catalog.ids(PictureState.ACTIVE)
    flip(store.root / "catalog.sqlite", position / 100)
    try:
        snapshot = store.load()
        added = follow(snapshot, store.catalog)
        found = set(joined(snapshot, added.refresh()).ids) - store.catalog.ids(PictureState.DELETED)
    except StoreError:
        found = set()
    assert found == before or "catalog" in "".join(audit(store).problems)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_journal_of_a_killed_process_loses_no_picture_silently(store, predictor, tmp_path, damage):
    """What was committed last is in catalog.sqlite-wal until somebody folds it in; SQLite drops what does not fit."""
    new = NewPicture(encoded(60))
    with store.catalog.kept_open():
        store.catalog.count()
        add(store, predictor, new)
        shutil.copytree(store.root, tmp_path / "killed")
    killed = SnapshotStore(tmp_path / "killed")
    (killed.root / "catalog.sqlite-shm").unlink()
    DAMAGES[damage](killed.root / "catalog.sqlite-wal")
    findings = audit(killed)
    try:
        is_found = new.id in killed.catalog.ids(PictureState.ACTIVE)
    except StoreError:
        is_found = False
    assert is_found or f"{new.id}.png; who posted them" in "".join(findings.notes) or findings.problems


def test_a_whole_store_has_no_findings(store, predictor):
    assert audit(store).problems == audit(store).notes == []
    rebuild(store, predictor)
    assert audit(store).problems == audit(store).notes == []


def upload(store: SnapshotStore, new: NewPicture) -> Path:
    return next(store.uploads.rglob(f"{new.id}*"))


def sql(statement: str):
    def change(store: SnapshotStore) -> None:
        with store.catalog.writing() as connection:
            connection.execute(statement)

    return change


def write(place: str, content: bytes = b"x"):
    def change(store: SnapshotStore) -> None:
        (store.root / place).write_bytes(content)

    return change


WRONG = {
    "an upload is missing": (lambda store: upload(store, NEW[0]).unlink(), "1 uploads are missing", "remove"),
    "an upload is a folder": (lambda store: to_folder(upload(store, NEW[0])), "1 uploads are missing", "remove"),
    "an upload is damaged": (lambda store: flip(upload(store, NEW[0]), 0.5), "1 uploads are damaged", "remove"),
    "an upload is cut": (lambda store: cut(upload(store, NEW[1]), 0.5), "1 uploads are damaged", "remove"),
    "an added vector is damaged": (sql("UPDATE added SET checksum = 0"), "1 added pictures have", "build"),
    "an added vector is of another size": (sql("UPDATE added SET vector = x'00'"), "have a damaged vector", "build"),
    "an added vector is text": (sql("UPDATE added SET vector = 'text'"), "have a damaged vector", "build"),
    "an added vector is lost": (sql("DELETE FROM added"), "1 pictures have no vector", "build"),
    "it is another model's": (sql("UPDATE added SET model_id = 'x'"), "1 pictures have no vector", "build"),
    "a state is none": (
        sql("UPDATE pictures SET state = 'x' WHERE label = 'awe'"),
        "rows of the catalog are",
        "remove",
    ),
    "metadata are none": (sql("UPDATE pictures SET metadata = '[1]'"), "rows of the catalog are damaged", "remove"),
    "an id is another's": (sql("UPDATE pictures SET sha256 = 'x'"), "an id that is not their content's", "backup"),
    "a picture is unknown": (sql("DELETE FROM pictures WHERE path LIKE '/%'"), "6 pictures of the index are", "build"),
    "a remembered hash is wrong": (sql("UPDATE files SET sha256 = 'x'"), "7 files have a wrong hash", "build"),
    "all are unknown": (sql("DELETE FROM pictures"), "is missing or empty", "backup"),
    "the gallery is gone": (
        write("store.json", b'{"roots": [{"path": "/no"}]}'),
        "of the gallery are not there",
        "name",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_verify_says_what_is_wrong_and_what_mends_it(store, what):
    change, says, way_out = WRONG[what]
    change(store)
    message = "\n".join(audit(store).problems)
    assert says in message
    assert way_out in message


def test_verify_looks_at_the_versions_kept_for_a_rollback(store):
    oldest = store.snapshots / store.versions()[0]
    flip(oldest / "vectors.npy", 0.9)
    (problem,) = audit(store).problems
    assert "vectors.npy differs" in problem
    assert problem.endswith(f"remove {oldest}")
    shutil.rmtree(oldest)
    assert audit(store).problems == []


def test_what_harms_nothing_is_a_note(store, predictor):
    write("uploads/orphan.png")(store)
    for folder in ("ab", NEW[2].id[:2]):
        (store.uploads / folder).mkdir(exist_ok=True)
    write(f"uploads/{NEW[2].id[:2]}/{NEW[2].id}.png")(store)
    write("uploads/ab/.half.png.new")(store)
    sql("INSERT INTO added VALUES (NULL, 'x', 'm', 'p', 'v', 'p', 0)")(store)
    findings = audit(store)
    assert findings.problems == []
    notes = "\n".join(findings.notes)
    for says in ("cut off", "deleted pictures", "orphan.png", "index add FILE", "belong to no picture"):
        assert says in notes
    (store.uploads / "orphan.png").unlink()
    rebuild(store, predictor)
    assert audit(store).notes == []


@pytest.mark.parametrize("what", ["an added vector is damaged", "an added vector is lost", "a picture is unknown"])
def test_a_build_mends_what_verify_says_it_mends(store, predictor, what):
    right = set(everything(store)[0]) - store.catalog.ids(PictureState.DELETED)
    WRONG[what][0](store)
    assert audit(store).problems
    rebuild(store, predictor)
    assert audit(store).problems == []
    assert store.catalog.ids(PictureState.ACTIVE) == right


def test_a_damaged_row_can_be_taken_out_and_added_again(store, predictor):
    sql("UPDATE pictures SET metadata = '{' WHERE external_id = 'mine'")(store)
    with pytest.raises(StoreReadError, match=f"damaged at picture '{NEW[0].id}'.*index remove"):
        everything(store)
    remove_picture(store, NEW[0].id)
    add(store, predictor, NEW[0])
    assert audit(store).problems == []
    assert NEW[0].id in everything(store)[0]
