"""A disk without room, a store that must not be written, no more open files: nothing half, and it goes on afterwards.

The limits are the system's own: a write beyond RLIMIT_FSIZE fails as one on a full disk does.
"""

import contextlib
import os
import resource
from collections.abc import Iterator

import pytest

from emotion.errors import StoreError, StoreWriteError
from fakes import encoded
from index.additions import NewPicture, add_picture, embed_picture, remove_picture
from index.audit import audit
from index.catalog import PictureState
from index.compact import compact
from index.embed import made_with
from index.rebuild import rebuild

NEW = encoded(50)
ROOM_BYTES = (0, 100, 600, 2_000, 5_000, 20_000, 40_000)
"""Each stops another write: of a picture, a manifest, vectors, the catalog's journal."""


@contextlib.contextmanager
def limited(kind: int, limit: int) -> Iterator[None]:
    """Lower a limit of this process for a while."""
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(kind, before)


def no_room(n_bytes: int = 0) -> contextlib.AbstractContextManager[None]:
    """No file can grow beyond this."""
    return limited(resource.RLIMIT_FSIZE, n_bytes)


CHANGES = {
    "add": lambda store, predictor: add(store, predictor, 60),
    "remove": lambda store, predictor: remove_picture(store, NewPicture(NEW).id),
    "compact": lambda store, _: compact(store),
    "rebuild": rebuild,
    "rollback": lambda store, _: store.rollback(),
}


def add(store, predictor, seed: int) -> None:
    new = NewPicture(encoded(seed), metadata={"text": "x" * 3000})
    add_picture(store, new, embed_picture(predictor, new), made_with(predictor))


def knows(store) -> tuple[object, ...]:
    """What a change that failed must leave as it was."""
    findings = audit(store)
    hidden = [file.name for file in store.root.rglob(".*") if file.name != ".lock"]
    return findings.problems, findings.notes, hidden, store.catalog.ids(PictureState.ACTIVE), store.current_version()


@pytest.mark.parametrize("change", CHANGES)
def test_what_finds_no_room_is_not_there(store, predictor, change):
    rebuild(store, predictor)
    add(store, predictor, 50)
    failures = 0
    with store.catalog.kept_open():  # as a service has it
        before = knows(store)
        assert before[:3] == ([], [], [])
        for room in ROOM_BYTES:
            try:
                with no_room(room):
                    CHANGES[change](store, predictor)
            except StoreWriteError:
                failures += 1
                assert knows(store) == before
            else:
                break
    assert failures >= 1
    rebuild(store, predictor)
    assert audit(store).problems == []


def test_a_service_on_a_full_disk_refuses_changes_answers_searches_and_goes_on(client, store, auth, problem):
    def post():
        return client.post("/images", files={"file": ("x.png", NEW)}, headers=auth)

    def search(k: int = 20):
        return client.post("/search", params={"k": k}, content=NEW).json()["results"]

    before = search()
    with no_room():
        answer = post()
        assert answer.headers["Retry-After"] == "30"
        problem(answer, 503, "store_not_writable")
        problem(client.delete(f"/images/{before[0]['id']}", headers=auth), 503, "store_not_writable")
        problem(client.post("/admin/index/rollback", headers=auth), 409, "nothing_to_roll_back")
        assert search() == before
        assert client.get(before[0]["thumbnail_url"]).status_code == 200
        assert client.get("/readyz").json()["warnings"] == []
    assert list(store.root.rglob("*.new")) == []
    assert post().status_code == 201
    assert len(search()) == 13
    assert client.get(before[0]["thumbnail_url"]).status_code == 200
    assert len([*store.thumbnails.iterdir()]) == 1


def test_a_rollback_that_cannot_be_written_is_said(client, store, predictor, auth, problem, wait_until):
    version = rebuild(store, predictor).manifest.version
    wait_until(lambda: client.get("/readyz").json()["index_version"] == version)
    with no_room():
        problem(client.post("/admin/index/rollback", headers=auth), 503, "store_not_writable")
    assert client.post("/admin/index/rollback", headers=auth).status_code == 200


def test_without_open_files_what_needs_one_waits(store, serve, auth, problem, wait_until):
    client = serve(poll_interval_s=3600)  # who follows the index reads the catalog too, by the one open connection
    (best,) = client.post("/search", params={"k": 1}, content=encoded(3)).json()["results"]
    form = {"files": {"file": ("x.png", NEW)}}
    problem(client.post("/images", **form), 401, "unauthorized")  # the client reads a file too, once
    with limited(resource.RLIMIT_NOFILE, 0):
        refused = client.post("/images", **form, headers=auth)
        assert refused.status_code == 503  # by what it needs first, which kept connections decide
        assert refused.json()["code"] in {"store_not_writable", "store_not_readable"}
        problem(client.get(best["url"]), 503, "store_not_readable")
        job = client.post("/admin/index/rebuild", headers=auth).headers["Location"]
        wait_until(lambda: client.get(job, headers=auth).json()["state"] == "failed")
        # Its connection to the catalog is open already.
        assert client.post("/search", params={"k": 1}, content=encoded(3)).json()["results"] == [best]
    assert "cannot be started: Too many open files" in client.get(job, headers=auth).json()["error"]
    assert client.post("/images", **form, headers=auth).status_code == 201
    assert client.get(best["url"]).status_code == 200
    assert client.get("/readyz").status_code == 200


@pytest.fixture
def read_only(store) -> Iterator[None]:
    """A store that belongs to somebody else; root, who may write anywhere, becomes nobody."""
    for folder in [*store.root.parents][:-2]:
        folder.chmod(0o755)
    everything = [store.root, *store.root.rglob("*")]
    for file in everything:
        file.chmod(0o555 if file.is_dir() else 0o444)
    is_root = os.geteuid() == 0
    if is_root:
        os.setresuid(65534, 65534, 0)
    yield
    if is_root:
        os.setresuid(0, 0, 0)
    for file in everything:
        file.chmod(0o755 if file.is_dir() else 0o644)


def test_a_store_that_must_not_be_written(client, store, auth, problem, request):
    before = client.post("/search", content=NEW).json()["results"]
    request.getfixturevalue("read_only")
    problem(client.post("/images", files={"file": ("x.png", NEW)}, headers=auth), 503, "store_not_writable")
    problem(client.delete(f"/images/{before[0]['id']}", headers=auth), 503, "store_not_writable")
    assert client.post("/search", content=NEW).json()["results"] == before
    assert client.get(before[0]["thumbnail_url"]).status_code == 200
    for change in CHANGES.values():
        with pytest.raises(StoreError, match=r"cannot write|cannot be used|no version before"):
            change(store, client.app.state.services.predictor)


def test_a_service_starts_on_a_store_that_must_not_be_written(store, serve, request):
    request.getfixturevalue("read_only")
    client = serve()
    assert client.get("/readyz").json()["warnings"] == []
    results = client.post("/search", params={"k": 20}, content=encoded(3)).json()["results"]
    assert len(results) == 12
    assert {result["label"] for result in results} == {"awe", "fear"}
    assert audit(store).problems == []
