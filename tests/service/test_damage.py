"""A damaged store or bundle: a service does not start on it, or goes on with what it has, and says why."""

import asyncio
import contextlib

import pytest

from damage import DAMAGES, damaged, flip
from emotion.bundle import MANIFEST_NAME, ONNX_NAME, WEIGHTS_NAME, load_bundle
from emotion.errors import BundleError, StoreError
from emotion.runtime import Device
from fakes import encoded
from index import manifest
from index.rebuild import rebuild
from index.snapshot import FILES
from service.__main__ import open_snapshot
from service.metrics import Metrics
from service.snapshots import LiveSnapshot


def damages_of(name: str) -> list[str]:
    """A byte less of our JSON is the end of its last line."""
    return [damage for damage in DAMAGES if damage != "a byte short" or not name.endswith(".json")]


@pytest.mark.parametrize("name", [MANIFEST_NAME, ONNX_NAME, WEIGHTS_NAME])
def test_a_damaged_bundle_is_named(predictor, name):
    for damage in damages_of(name):
        file = predictor.bundle.path / name
        with damaged(file, damage), pytest.raises(BundleError, match=rf"{name}.*(again|missing)"):
            load_bundle(file.parent)
    assert load_bundle(file.parent) == predictor.bundle


def test_a_flipped_bit_anywhere_in_a_bundles_manifest_changes_nothing_that_is_not_told(predictor):
    """What decides the numbers is hashed; the rest, such as the terms of use, is text."""
    file, whole = predictor.bundle.path / MANIFEST_NAME, predictor.bundle
    content = file.read_bytes()
    for position in range(0, len(content), 17):
        file.write_bytes(content)
        flip(file, position / (len(content) - 1))
        try:
            loaded = load_bundle(file.parent)
        except BundleError:
            continue
        decides = {"name", "provenance", "metrics", "terms", "training_hashes", "familiarity"}
        assert loaded.manifest.model_dump(exclude=decides) == whole.manifest.model_dump(exclude=decides)


def test_a_service_keeps_the_old_version_while_the_new_one_is_damaged(store, predictor):
    async def story():
        live = LiveSnapshot(store, predictor, Device.CPU, Metrics())
        await live.refresh()
        before = live.require()
        version = rebuild(store, predictor).manifest.version
        for name in (*FILES, manifest.MANIFEST_NAME):
            for damage in damages_of(name):
                with damaged(store.snapshots / version / name, damage):
                    await live.refresh(force=True)
                assert live.require() is before
                assert live.refusal.version == version
                assert name in live.refusal.reason
                assert "index rollback" in live.refusal.reason
        await live.refresh(force=True)
        assert live.refusal is None
        assert live.require().manifest.version == version

    asyncio.run(story())


def start(settings, predictor, store) -> int:
    """What a start loads; how many pictures the catalog knows of it."""
    live = LiveSnapshot(store, predictor, Device.CPU, Metrics(), open_snapshot(settings, predictor))
    return len(store.catalog.get_many(live.require().ids))


def test_a_service_does_not_start_on_a_damaged_store(store, predictor, settings):
    """One line at the command line says why; which, tests/index/test_damage.py tells."""
    version = store.snapshots / store.current_version()
    for file in (*(version / name for name in FILES), store.root / "CURRENT", store.root / "catalog.sqlite"):
        for damage in DAMAGES:
            with damaged(file, damage), contextlib.suppress(StoreError):
                assert start(settings(), predictor, store) == 12
    assert start(settings(), predictor, store) == 12


def test_without_its_catalog_a_service_says_that_it_is_not_ready_until_it_is_back(
    client, store, problem, wait_until, caplog
):
    search = {"params": {"k": 5}, "content": encoded(3)}
    before = client.post("/search", **search).json()
    catalog = store.root / "catalog.sqlite"
    content = catalog.read_bytes()
    damaged = store.root / "other"
    damaged.write_bytes(b"no database" * 400)
    damaged.replace(catalog)
    assert "from a backup" in problem(client.post("/search", **search), 503, "store_not_readable")["detail"]
    wait_until(lambda: client.get("/readyz").status_code == 503)
    assert "catalog.sqlite" in problem(client.get("/readyz"), 503, "not_ready")["detail"]
    damaged.write_bytes(content)
    damaged.replace(catalog)
    wait_until(lambda: client.get("/readyz").status_code == 200)
    assert client.post("/search", **search).json() == before
    said = [record for record in caplog.records if record.name == "feelalike.index" and record.levelname == "ERROR"]
    assert len(said) == 1, "once, not at every look"
    assert said[0].exc_info is None


def test_a_lost_catalog_is_said_while_searches_go_on(client, store, wait_until):
    (store.root / "catalog.sqlite").unlink()
    wait_until(lambda: client.get("/readyz").json()["warnings"])
    (warning,) = client.get("/readyz").json()["warnings"]
    assert "catalog.sqlite is missing or empty" in warning
    assert "from a backup" in warning


def test_a_damaged_thumbnail_is_made_anew(client, store):
    url = client.post("/search", params={"k": 1}, content=encoded(3)).json()["results"][0]["thumbnail_url"]
    right = client.get(url).content
    (kept,) = store.thumbnails.glob("*.jpg")
    for damage in DAMAGES:
        with damaged(kept, damage):
            for _ in range(2):
                assert client.get(url).content == right
    assert right.startswith(b"\xff\xd8\xff")
    assert right.endswith(b"\xff\xd9")


def test_a_thumbnail_without_a_checksum_is_still_good(client, store):
    result = client.post("/search", params={"k": 1}, content=encoded(3)).json()["results"][0]
    store.thumbnails.mkdir()
    older = b"\xff\xd8\xff of an earlier version \xff\xd9"
    (store.thumbnails / f"{result['id']}.jpg").write_bytes(older)
    assert client.get(result["thumbnail_url"]).content == older


def test_a_folder_in_the_place_of_the_thumbnails_costs_time_only(client, store):
    store.thumbnails.mkdir()
    store.thumbnails.rmdir()
    store.thumbnails.write_bytes(b"")
    url = client.post("/search", params={"k": 1}, content=encoded(3)).json()["results"][0]["thumbnail_url"]
    assert client.get(url).status_code == 200


def test_a_damaged_upload_is_not_shown_as_the_picture(client, store, auth, problem):
    posted = client.post("/images", files={"file": ("x.png", encoded(50))}, headers=auth).json()["items"][0]["picture"]
    (file,) = store.uploads.rglob("*.png")
    for damage in DAMAGES:
        with damaged(file, damage):
            problem(client.get(posted["url"]), 404, "image_file_missing")
    assert client.post("/search", params={"k": 1}, content=encoded(50)).json()["results"][0]["id"] == posted["id"]
