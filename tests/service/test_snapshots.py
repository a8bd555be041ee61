"""Following the store: what is taken, what is refused, what running requests keep."""

import asyncio

import pytest

from emotion.runtime import Device
from fakes import encoded, tiny_predictor, write_gallery
from index.additions import NewPicture, add_picture, embed_picture
from index.embed import made_with
from index.rebuild import rebuild
from index.store import KEEP_VERSIONS, SnapshotStore
from service.errors import NotReadyError
from service.metrics import Metrics
from service.snapshots import LiveSnapshot


def live_on(store, predictor) -> LiveSnapshot:
    return LiveSnapshot(store, predictor, Device.CPU, Metrics())


def test_a_new_version_replaces_the_old_one_and_handles_stay_good(store, predictor, gallery):
    async def story():
        live = live_on(store, predictor)
        await live.refresh()
        handle = live.require()
        write_gallery(gallery, 13)
        for _ in range(4):  # the first version is pruned from the disk meanwhile
            rebuild(store, predictor)
        await live.refresh()
        assert len(live.require().ids) == 13
        assert len(handle.index.search(handle.vectors[:1], 12)[0]) == 12

    asyncio.run(story())


def test_a_version_pruned_while_it_was_loaded_is_not_taken(store, predictor, monkeypatch):
    """The rows of a picture added after it are given up once every version on disk holds them."""
    new = NewPicture(encoded(60))
    load = store.load
    added, loaded = [], []

    def load_slowly(*args, **kwargs):
        loaded.append(load(*args, **kwargs))
        if not added:
            added.append(add_picture(store, new, embed_picture(predictor, new), made_with(predictor)).entry.id)
            other = SnapshotStore(store.root)
            for _ in range(KEEP_VERSIONS):
                rebuild(other, predictor)
        return loaded[-1]

    async def story():
        monkeypatch.setattr(store, "load", load_slowly)
        live = live_on(store, predictor)
        await live.refresh()
        assert len(loaded) == 2
        assert loaded[0].row_of(added[0]) is None
        assert added[0] in live.require().ids

    asyncio.run(story())


def test_a_version_in_a_folder_of_another_name_is_taken(store, predictor):
    """A backup restored by hand: it is nobody's pruning, and looked at once."""

    async def story():
        (store.snapshots / store.current_version()).rename(store.snapshots / "20200101T000000.000000Z")
        (store.root / "CURRENT").write_text("20200101T000000.000000Z\n")
        live = live_on(store, predictor)
        await asyncio.wait_for(live.refresh(), 20)
        assert len(live.require().ids) == 12

    asyncio.run(story())


def test_nothing_is_loaded_again_while_nothing_changes(store, predictor):
    async def story():
        live = live_on(store, predictor)
        await live.refresh()
        handle = live.require()
        await live.refresh()
        await live.refresh(force=True)
        assert live.require() is handle

    asyncio.run(story())


def test_another_models_snapshot_is_refused_and_the_old_one_stays(store, serve, predictor, tmp_path, wait_until):
    client = serve()
    before = client.get("/readyz").json()["index_version"]
    refused = rebuild(store, tiny_predictor(tmp_path, "other")).manifest.version
    wait_until(lambda: client.get("/readyz").json()["warnings"])
    ready = client.get("/readyz").json()
    assert ready["index_version"] == before
    assert refused in ready["warnings"][0]
    assert "made with model" in ready["warnings"][0]
    assert client.post("/search", content=encoded(3)).json()["index_version"] == before
    assert "feelalike_snapshots_refused_total 1.0" in client.get("/metrics").text
    fitting = rebuild(store, predictor).manifest.version
    wait_until(lambda: client.get("/readyz").json()["index_version"] == fitting)
    assert client.get("/readyz").json()["warnings"] == []


def test_a_damaged_snapshot_is_refused_until_it_is_replaced(store, serve, predictor, wait_until):
    client = serve()
    before = client.get("/readyz").json()["index_version"]
    damaged = rebuild(store, predictor).manifest.version
    wait_until(lambda: client.get("/readyz").json()["index_version"] == damaged)
    (store.root / "CURRENT").write_text("nonsense\n")
    wait_until(lambda: client.get("/readyz").json()["warnings"])
    assert client.post("/search", content=encoded(3)).status_code == 200
    (store.root / "CURRENT").write_text(f"{before}\n")
    wait_until(lambda: client.get("/readyz").json()["index_version"] == before)


@pytest.mark.parametrize("damage", ["vectors.npy", "index.faiss", "manifest.json"])
def test_an_app_that_starts_on_a_damaged_snapshot_is_not_ready(store, serve, damage, problem):
    file = store.snapshots / store.current_version() / damage
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    client = serve()
    assert damage in problem(client.get("/readyz"), 503, "not_ready")["detail"]
    assert client.get("/livez").status_code == 200


def test_a_vanished_store_leaves_the_live_index(store, serve, wait_until):
    client = serve()
    store.root.rename(store.root.with_name("elsewhere"))
    assert client.post("/search", content=encoded(3)).json()["results"][0]["label"] is None
    assert client.get("/readyz").status_code == 200


def test_taking_a_refused_snapshot_raises(store, tmp_path):
    async def story():
        live = live_on(store, tiny_predictor(tmp_path, "other"))
        with pytest.raises(NotReadyError, match="made with model"):
            await live.take_published()

    asyncio.run(story())
