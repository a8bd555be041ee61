import threading
from dataclasses import replace

import numpy as np
import pytest

from emotion.errors import SnapshotCorruptError, StoreError, StoreLockedError, StoreMissingError
from index.manifest import MANIFEST_NAME
from index.snapshot import FILES, INDEX, SnapshotDraft
from index.spec import IndexChoice, IndexKind, WantedKind
from index.store import SnapshotStore

EVERY_FILE = [*FILES, MANIFEST_NAME]


def publish(store: SnapshotStore, draft) -> str:
    with store.writer_lock():
        staged = store.stage(draft)
        store.publish(staged)
    return staged.manifest.version


def test_an_empty_store_says_what_to_run(store):
    assert store.current_version() is None
    assert store.versions() == []
    for ask in (store.load, store.verify, store.manifest, store.config):
        with pytest.raises(StoreMissingError, match="python -m index build"):
            ask()
    assert not store.root.exists()


def test_published_is_what_loads(store, draft):
    version = publish(store, draft())
    snapshot = store.load()
    assert store.current_version() == snapshot.manifest.version == version
    np.testing.assert_array_equal(snapshot.vectors, draft().rows.vectors)
    np.testing.assert_array_equal(snapshot.probabilities, draft().rows.probabilities)
    assert snapshot.ids == draft().rows.ids
    assert snapshot.row_of(snapshot.ids[3]) == 3
    assert snapshot.row_of("0") is None
    assert snapshot.row_of("f" * 32) is None
    (hits,) = snapshot.index.search(snapshot.vectors[2:3], 1)
    assert hits.ids == (snapshot.ids[2],)


@pytest.fixture
def ivf_draft(clustered, gallery_rows):
    return SnapshotDraft(
        gallery_rows(clustered(2000)), "model0", "fp32", ("awe",) * 8, choice=IndexChoice(kind=WantedKind.IVF)
    )


def test_a_snapshot_with_lists_loads_searches_and_verifies(store, ivf_draft):
    version = publish(store, ivf_draft)
    snapshot = store.load()
    assert snapshot.manifest.index.kind is IndexKind.IVF
    assert snapshot.manifest.recall >= snapshot.manifest.index.ivf.target_recall == 0.99
    assert store.verify() == snapshot.manifest
    (hits,) = snapshot.index.search(snapshot.vectors[7:8], 1500)
    assert hits.ids[0] == snapshot.ids[7]
    assert len(hits) == 1500
    publish(store, ivf_draft)
    assert store.rollback().version == version


@pytest.mark.parametrize("position", [0.1, 0.5, 0.9])
def test_one_flipped_bit_in_the_lists_is_found(store, ivf_draft, position):
    file = store.snapshots / publish(store, ivf_draft) / INDEX
    content = bytearray(file.read_bytes())
    content[int(position * len(content))] ^= 1
    file.write_bytes(content)
    with pytest.raises(SnapshotCorruptError, match=INDEX):
        store.load()


def test_lists_that_find_less_than_they_did_are_damaged(store, ivf_draft, monkeypatch):
    publish(store, ivf_draft)
    recall = store.manifest().recall
    monkeypatch.setattr("index.snapshot.measure_recall", lambda *_: recall - 0.004)
    store.verify()
    monkeypatch.setattr("index.snapshot.measure_recall", lambda *_: recall - 0.006)
    with pytest.raises(SnapshotCorruptError, match="of the true neighbours"):
        store.verify()


def test_a_staged_snapshot_is_not_seen(store, draft):
    first = publish(store, draft())
    with store.writer_lock():
        store.stage(draft(seed=1))
    assert store.current_version() == first
    assert store.versions() == [first]


def test_leftovers_of_a_killed_writer_are_swept(store, draft):
    with store.writer_lock():
        leftover = store.stage(draft()).folder
    assert leftover.is_dir()
    with store.writer_lock():
        assert not leftover.exists()


@pytest.mark.parametrize("name", EVERY_FILE)
@pytest.mark.parametrize("position", [0, 0.5, 1])
def test_one_flipped_bit_is_found(store, draft, name, position):
    file = store.snapshots / publish(store, draft()) / name
    content = bytearray(file.read_bytes())
    content[int(position * (len(content) - 1))] ^= 0b100
    file.write_bytes(content)
    with pytest.raises(SnapshotCorruptError, match=name):
        store.load()


@pytest.mark.parametrize("name", EVERY_FILE)
def test_a_truncated_or_missing_file_is_named(store, draft, name):
    file = store.snapshots / publish(store, draft()) / name
    file.write_bytes(file.read_bytes()[:-7])
    with pytest.raises(SnapshotCorruptError, match=name):
        store.verify()
    file.unlink()
    with pytest.raises(SnapshotCorruptError, match=name):
        store.verify()


def test_vectors_that_are_not_finite_are_never_published(store, draft):
    good = draft()
    bad = replace(good, rows=replace(good.rows, vectors=np.full((5, 8), np.nan, np.float32)))
    with store.writer_lock(), pytest.raises(StoreError, match="must be finite"):
        store.stage(bad)
    assert store.current_version() is None


def test_ids_out_of_order_are_never_published(store, draft):
    good = draft()
    bad = replace(good, rows=replace(good.rows, ids=good.rows.ids[::-1]))
    with store.writer_lock(), pytest.raises(StoreError, match="must be distinct and ascend"):
        store.stage(bad)


@pytest.mark.parametrize("content", ["", "../../etc", "20260101T000000.000000Z"])
def test_a_damaged_pointer(store, draft, content):
    publish(store, draft())
    (store.root / "CURRENT").write_text(content)
    with pytest.raises(SnapshotCorruptError, match=r"CURRENT is damaged|is missing from"):
        store.load()


def test_versions_ascend_even_if_the_clock_is_set_back(store, draft):
    publish(store, draft())
    (store.snapshots / store.current_version()).rename(store.snapshots / "29991231T235959.999998Z")
    assert publish(store, draft()) == "29991231T235959.999999Z"
    assert publish(store, draft()) == "30000101T000000.000000Z"


def test_rollback_goes_back_one_and_no_further_than_the_first(store, draft):
    first, second = publish(store, draft()), publish(store, draft(seed=1))
    assert store.rollback().version == first
    assert store.current_version() == first
    assert store.load().manifest.model_id == "model0"
    with pytest.raises(StoreMissingError, match=f"no version before {first}"):
        store.rollback()
    assert store.load(second).manifest.model_id == "model1"


def test_rollback_refuses_a_damaged_version(store, draft):
    first, second = publish(store, draft()), publish(store, draft(seed=1))
    (store.snapshots / first / "vectors.npy").unlink()
    with pytest.raises(SnapshotCorruptError, match=r"vectors\.npy"):
        store.rollback()
    assert store.current_version() == second


def test_prune_keeps_the_newest_and_the_current(store, draft):
    versions = [publish(store, draft(seed=seed)) for seed in range(4)]
    for _ in range(3):
        store.rollback()
    assert store.prune(keep=2) == [versions[1]]
    assert store.versions() == [versions[0], *versions[2:]]
    assert store.load().manifest.version == versions[0]
    with pytest.raises(StoreError, match="at least 1"):
        store.prune(keep=0)


def test_a_second_writer_is_turned_away(store):
    second = SnapshotStore(store.root)
    with (
        store.writer_lock(),
        pytest.raises(StoreLockedError, match="another process is writing"),
        second.writer_lock(timeout_s=0.01),
    ):
        pass
    with second.writer_lock():
        pass


def test_the_store_cannot_be_a_file(tmp_path):
    (tmp_path / "file").touch()
    store = SnapshotStore(tmp_path / "file")
    with pytest.raises(StoreError, match="cannot be read"):
        store.load()
    with pytest.raises(StoreError, match="cannot write"), store.writer_lock():
        pass


def test_readers_never_see_a_half_published_snapshot(store, draft):
    """Readers load while versions are published and pruned beneath them."""
    drafts = {f"model{seed}": draft(seed=seed) for seed in range(20)}
    publish(store, drafts["model0"])
    done = threading.Event()
    bad: list[object] = []
    n_reads = 0

    def read() -> None:
        nonlocal n_reads
        while not done.is_set():
            try:
                snapshot = store.load()
                expected = drafts[snapshot.manifest.model_id].rows.vectors
                if not np.array_equal(snapshot.vectors, expected):
                    bad.append(snapshot.manifest.version)
            except Exception as error:
                bad.append(error)
            n_reads += 1

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for content in drafts.values():
        publish(store, content)
        store.prune(keep=1)
    done.set()
    for thread in threads:
        thread.join()
    assert bad == []
    assert n_reads > 0
