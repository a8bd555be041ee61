"""POST, GET /images and DELETE /images/{id}: what is answered, and that every process and every restart agrees."""

import json
import threading

import pytest

from fakes import encoded
from index.additions import NewPicture, add_picture, embed_picture, remove_picture
from index.catalog import PictureState
from index.compact import compact
from index.embed import made_with
from index.rebuild import rebuild

NEW = encoded(50)
NEW_ID = NewPicture(NEW).id


@pytest.fixture
def post(client, auth):
    def run(*pictures: bytes, on=client, headers=auth, **texts: str):
        files = [("file", (f"{i}.png", data)) for i, data in enumerate(pictures)]
        return on.post("/images", files=files, data=texts, headers=headers)

    return run


def found(client, k: int = 100, data: bytes = NEW) -> list[str]:
    return [result["id"] for result in client.post("/search", params={"k": k}, content=data).json()["results"]]


def test_added_is_found_at_once_and_after_a_restart(client, post, serve, store):
    response = post(NEW, label=" awe ", metadata=json.dumps({"by": "me"}), external_id="mine-1")
    assert response.status_code == 201, response.text
    (item,) = response.json()["items"]
    assert (item["created"], item["error"]) == (True, None)
    picture = item["picture"]
    assert (picture["id"], picture["label"], picture["metadata"]) == (NEW_ID, "awe", {"by": "me"})
    assert picture["external_id"] == "mine-1"
    for service in (client, serve()):
        (best,) = service.post("/search", params={"k": 1}, content=NEW).json()["results"]
        assert {key: best[key] for key in picture} == picture
        assert (best["rank"], best["distance"]) == (1, 0)
        assert service.get(picture["url"]).content == NEW
        assert service.get(picture["thumbnail_url"]).status_code == 200
        assert len(found(service)) == 13
        near = service.get(f"{picture['url']}/neighbours", params={"k": 100}).json()
        assert [one["id"] for one in near["results"]] == found(service)[1:]
    facts = client.get("/info").json()["index"]
    assert (facts["count"], facts["added"]) == (12, 1)
    assert "feelalike_index_pictures 13.0" in client.get("/metrics").text


def test_the_same_picture_twice_is_one_entry_and_said_so(post, client):
    first = post(NEW, label="awe").json()["items"][0]["picture"]
    again = post(NEW, label="fear")
    assert again.status_code == 200
    assert again.json()["items"] == [{"created": False, "picture": first, "error": None}]
    assert post(encoded(3)).status_code == 200, "the gallery's own folder holds it"
    both = post(encoded(60), encoded(60)).json()["items"]
    assert sorted(item["created"] for item in both) == [False, True]
    assert len(found(client)) == 14


def test_deleted_is_gone_at_once_and_comes_back_when_posted(client, post, serve, store, auth, problem):
    url = post(NEW).json()["items"][0]["picture"]["url"]
    in_folder = f"/images/{found(client, data=encoded(3))[0]}"
    for path in (url, in_folder):
        response = client.delete(path, headers=auth)
        assert (response.status_code, response.content) == (204, b"")
        problem(client.delete(path, headers=auth), 404, "unknown_image")
        for service in (client, serve()):
            for suffix in ("", "/thumbnail", "/neighbours"):
                problem(service.get(path + suffix), 404, "unknown_image")
            assert path.rpartition("/")[2] not in found(service)
    assert not list(store.uploads.rglob("*.png"))
    assert post(NEW, encoded(3)).status_code == 201
    assert len(found(client)) == 13


def test_only_the_admin_changes_the_gallery(client, post, problem):
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        problem(post(NEW, headers=headers), 401, "unauthorized")
        problem(client.delete(f"/images/{NEW_ID}", headers=headers), 401, "unauthorized")
    assert len(found(client)) == 12


def test_of_several_pictures_each_has_its_answer(post, client):
    response = post(encoded(60), b"no picture", b"", encoded(61), label="awe")
    assert response.status_code == 201
    items = response.json()["items"]
    assert [item["created"] for item in items] == [True, False, False, True]
    assert [item["error"] and item["error"]["code"] for item in items] == [
        None,
        "unsupported_format",
        "empty_picture",
        None,
    ]
    assert items[1]["error"]["status"] == 415
    assert len(found(client)) == 14


REFUSED = [
    ([b"no picture"], {}, 415, "unsupported_format"),
    ([b""], {}, 400, "empty_picture"),
    ([NEW[:100]], {}, 422, "undecodable_picture"),
    ([], {"label": "awe"}, 400, "malformed_body"),
    ([NEW], {"lable": "awe"}, 400, "malformed_body"),
    ([NEW], {"metadata": "{"}, 422, "invalid_parameter"),
    ([NEW], {"metadata": '{"a": 1}'}, 422, "invalid_parameter"),
    ([NEW], {"metadata": '{"a": "\\ud800"}'}, 422, "invalid_parameter"),
    ([NEW], {"metadata": '{"\\udfff": "a"}'}, 422, "invalid_parameter"),
    ([NEW], {"metadata": "[" * 60_000}, 422, "invalid_parameter"),
    ([NEW], {"label": "x" * 501}, 422, "invalid_parameter"),
    ([NEW], {"label": "x" * 70_000}, 400, "malformed_body"),
    ([NEW, encoded(51)], {"external_id": "x"}, 422, "invalid_parameter"),
    ([NEW] * 17, {}, 400, "malformed_body"),
    ([b"x" * (64 * 2**20 + 10)], {}, 413, "picture_too_large"),
]


def test_what_is_refused_changes_nothing(client, store, problem, auth):
    for pictures, texts, status, code in REFUSED:
        files = [("file", (f"{i}.png", data)) for i, data in enumerate(pictures)] or {"other": (None, "text")}
        problem(client.post("/images", files=files, data=texts, headers=auth), status, code)
    assert len(found(client)) == 12
    assert not store.uploads.exists()


def test_other_bodies_are_refused(client, auth, problem):
    problem(client.post("/images", content=NEW, headers=auth), 415, "unsupported_content_type")
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n' + NEW
    for route in ("/images", "/classify/batch", "/search/batch"):
        for kind, body in (("; boundary=b", part), ("", part), ("; boundary=b", b"--c"), ("; boundary=b", b"")):
            headers = {**auth, "Content-Type": f"multipart/form-data{kind}"}
            problem(client.post(route, content=body, headers=headers), 400, "malformed_body")


def test_an_external_id_is_taken_once_and_finds_its_picture(client, post, problem, auth):
    picture = post(NEW, external_id="x").json()["items"][0]["picture"]
    problem(post(encoded(51), external_id="x"), 409, "external_id_taken")
    page = client.get("/images", params={"external_id": "x"}).json()
    assert (page["pictures"], page["next_cursor"]) == ([picture], None)
    assert client.get("/images", params={"external_id": "y"}).json()["pictures"] == []
    client.delete(picture["url"], headers=auth)
    assert client.get("/images", params={"external_id": "x"}).json()["pictures"] == []
    assert post(encoded(51), external_id="x").status_code == 201


def test_pages_hold_every_picture_once(client, post, auth, problem):
    post(NEW)
    client.delete(f"/images/{found(client)[5]}", headers=auth)
    seen, cursor = [], ""
    while cursor is not None:
        page = client.get("/images", params={"cursor": cursor, "limit": 5}).json()
        seen += [picture["id"] for picture in page["pictures"]]
        cursor = page["next_cursor"]
    assert seen == sorted(found(client))
    assert NEW_ID in seen
    for wrong in ({"limit": 0}, {"limit": 1001}, {"cursor": "x" * 65}):
        problem(client.get("/images", params=wrong), 422, "invalid_parameter")


def test_another_process_s_changes_are_seen(client, store, predictor, wait_until):
    """The store is changed behind the service's back, as another service or the command line does."""
    new = NewPicture(NEW)
    add_picture(store, new, embed_picture(predictor, new), made_with(predictor))
    wait_until(lambda: NEW_ID in found(client))
    version = compact(store).manifest.version
    wait_until(lambda: client.get("/readyz").json()["index_version"] == version)
    assert client.get("/info").json()["index"]["added"] == 0
    assert len(found(client)) == 13
    remove_picture(store, NEW_ID)
    assert NEW_ID not in found(client)
    store.rollback()
    wait_until(lambda: client.get("/readyz").json()["index_version"] != version)
    assert len(found(client)) == 12


def test_nothing_is_lost_while_the_index_is_swapped(client, post, store, predictor, auth):
    """Adds and deletes go on while builds publish; every answered one holds at once."""
    done = threading.Event()
    failures: list[BaseException] = []

    def build() -> None:
        try:
            while not done.is_set():
                rebuild(store, predictor)
                compact(store)
        except BaseException as error:
            failures.append(error)

    builder = threading.Thread(target=build)
    builder.start()
    kept = set()
    for seed in range(100, 108):
        data = encoded(seed)
        picture = post(data).json()["items"][0]["picture"]
        if seed % 3 == 0:
            assert client.delete(picture["url"], headers=auth).status_code == 204
        else:
            kept.add(picture["id"])
        assert kept <= set(found(client))
        assert (picture["id"] in found(client)) == (seed % 3 != 0)
    done.set()
    builder.join()
    assert failures == []
    assert len(found(client)) == 12 + len(kept)


def test_a_damaged_row_is_said(post, store, serve):
    post(NEW)
    with store.catalog.writing() as connection:
        connection.execute("UPDATE added SET checksum = 0")
    ready = serve().get("/readyz").json()
    assert ready["warnings"] == ["1 added pictures are damaged in the catalog; rebuild the index"]


def test_without_an_index_nothing_is_added(empty_store, serve, auth, problem):
    client = serve()
    problem(client.post("/images", files={"file": ("x.png", NEW)}, headers=auth), 503, "not_ready")
    problem(client.get("/images"), 503, "not_ready")


def test_a_store_that_cannot_be_written_says_so_and_goes_on(client, post, store, monkeypatch, problem):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("index.additions.write_atomic", full)
        problem(post(NEW), 503, "store_not_writable")
    assert store.catalog.ids(PictureState.ACTIVE) == set(found(client))
    assert post(NEW).status_code == 201
    assert len(found(client)) == 13
