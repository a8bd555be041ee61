import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from emotion.errors import StoreError
from index.catalog import Catalog, CatalogEntry, HashedFile, PictureState, picture_id

SHA256 = "ab" * 32


def entry(number: int = 0, **changes) -> CatalogEntry:
    sha256 = f"{number:064x}"[::-1]
    fields = CatalogEntry(picture_id(sha256), Path(f"/gallery/{number}.png"), "awe", sha256, 10, 20, {"year": "1920"})
    return replace(fields, **changes)


@pytest.fixture
def catalog(tmp_path) -> Catalog:
    return Catalog(tmp_path / "catalog.sqlite", tmp_path)


def test_id_is_the_first_128_bits():
    assert picture_id(SHA256) == "ab" * 16


def test_before_the_first_write_there_is_nothing_and_no_file(catalog, tmp_path):
    assert (catalog.get("x"), catalog.count(), catalog.hashed_files()) == (None, 0, {})
    assert list(tmp_path.iterdir()) == []


def test_entries_come_back_as_they_were(catalog):
    entries = [entry(0), entry(1, label=None, metadata={})]
    catalog.update(entries)
    assert catalog.get(entries[0].id) == entries[0]
    assert catalog.get_many([e.id for e in entries] + ["unknown"]) == {e.id: e for e in entries}
    assert catalog.count() == 2


def test_relative_paths_mean_relative_to_the_store(catalog, tmp_path):
    catalog.update([entry(path=Path("uploads/a.png"))])
    assert catalog.get(entry().id).path == tmp_path / "uploads/a.png"


def test_moved_and_relabelled(catalog):
    catalog.update([entry()])
    catalog.update([entry(path=Path("/elsewhere.png"), label="fear")])
    found = catalog.get(entry().id)
    assert (found.path, found.label, catalog.count()) == (Path("/elsewhere.png"), "fear", 1)


def test_gone_pictures_still_resolve_and_return(catalog):
    catalog.update([entry()])
    catalog.update([], gone=[entry().id])
    assert catalog.get(entry().id).state is PictureState.GONE
    assert catalog.count() == 0
    catalog.update([entry()])
    assert catalog.get(entry().id).state is PictureState.ACTIVE


def test_deleted_stays_deleted(catalog):
    catalog.update([entry()])
    assert catalog.set_state(entry().id, PictureState.DELETED)
    catalog.update([entry()], gone=[entry().id])
    assert catalog.get(entry().id).state is PictureState.DELETED
    assert catalog.ids(PictureState.DELETED) == {entry().id}
    assert not catalog.set_state("unknown", PictureState.DELETED)


def test_a_failed_update_changes_nothing(catalog):
    catalog.update([entry(0)])
    with pytest.raises(OverflowError):
        catalog.update([entry(1), entry(2, mtime_ns=2**70)], gone=[entry(0).id])
    assert catalog.ids(PictureState.ACTIVE) == {entry(0).id}


def test_hashes_are_remembered(catalog):
    catalog.remember_files({"a.png": HashedFile(1, 2, SHA256)})
    catalog.remember_files({"a.png": HashedFile(1, 3, SHA256), "b.png": HashedFile(1, 2, SHA256)})
    assert catalog.hashed_files() == {"a.png": HashedFile(1, 3, SHA256), "b.png": HashedFile(1, 2, SHA256)}


def test_another_schema_is_refused(catalog, tmp_path):
    connection = sqlite3.connect(tmp_path / "catalog.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="schema 99; this version reads schema 2"):
        catalog.get("x")


def test_a_file_that_is_no_database(catalog, tmp_path):
    (tmp_path / "catalog.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match=r"catalog\.sqlite cannot be used"):
        catalog.count()


def test_threads_read_while_another_writes(catalog):
    catalog.update([entry(0)])
    missing: list[int] = []

    def read() -> None:
        missing.extend(i for i in range(50) if catalog.get(entry(0).id) is None)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(1, 20):
        catalog.update([entry(number)])
    for thread in threads:
        thread.join()
    assert missing == []
    assert catalog.count() == 20


def changed_elsewhere(path: Path, script: str) -> None:
    """What another process commits."""
    command = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); c.close()"
    subprocess.run([sys.executable, "-c", command, str(path), script], check=True)


def test_a_catalog_kept_open_sees_what_another_process_commits(catalog, tmp_path):
    catalog.update([entry(0), entry(1)])
    with catalog.kept_open():
        assert catalog.get(entry(0).id).label == "awe"
        changed_elsewhere(tmp_path / "catalog.sqlite", "UPDATE pictures SET label = 'fear', state = 'deleted'")
        found = catalog.get(entry(0).id)
        assert (found.label, found.state) == ("fear", PictureState.DELETED)
        catalog.update([entry(2)])
        assert catalog.get(entry(2).id) == entry(2)
    assert not (tmp_path / "catalog.sqlite-wal").exists()  # the last connection is closed


def test_a_catalog_kept_open_sees_that_its_file_was_replaced(catalog, tmp_path):
    path = tmp_path / "catalog.sqlite"
    other = Catalog(tmp_path / "other.sqlite", tmp_path)
    catalog.update([entry(0)])
    other.update([entry(0, label="fear"), entry(1)])
    with catalog.kept_open():
        assert catalog.get(entry(0).id).label == "awe"
        (tmp_path / "other.sqlite").replace(path)
        assert catalog.get(entry(0).id).label == "fear"
        assert catalog.count() == 2
        path.unlink()
        assert catalog.get(entry(0).id) is None
        catalog.update([entry(3)])
        assert catalog.ids(PictureState.ACTIVE) == {entry(3).id}


def test_a_catalog_kept_open_refuses_a_schema_that_came_meanwhile(catalog, tmp_path):
    catalog.update([entry(0)])
    with catalog.kept_open():
        assert catalog.count() == 1
        changed_elsewhere(tmp_path / "catalog.sqlite", "PRAGMA user_version = 99")
        with pytest.raises(StoreError, match="schema 99"):
            catalog.count()


def test_a_catalog_kept_open_is_read_by_many_threads(catalog):
    catalog.update([entry(number) for number in range(20)])
    wanted = {entry(number).id for number in range(20)}
    with catalog.kept_open(), ThreadPoolExecutor(16) as pool:
        assert all(set(found) == wanted for found in pool.map(catalog.get_many, [wanted] * 200))
