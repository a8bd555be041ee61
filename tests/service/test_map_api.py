"""GET /map: places for the pictures of the live index, and for no others."""

import pytest

from fakes import encoded
from index.manifest import read_manifest
from index.rebuild import rebuild
from index.snapshot import SnapshotDraft
from service.examples import MAP

COLUMNS = ("ids", "x", "y", "emotion", "label")


def picture_of(client, item_id):
    return client.get(f"/images/{item_id}/neighbours", params={"k": 1}).json()["picture"]


def test_every_picture_has_its_place_emotion_and_label(client, store):
    answer = client.get("/map").json()
    assert answer.keys() == MAP.keys()
    assert {len(answer[column]) for column in COLUMNS} == {12}
    assert (answer["count"], answer["added"], answer["index_version"]) == (12, 0, store.current_version())
    assert (min(*answer["x"], *answer["y"]), max(*answer["x"], *answer["y"])) == (0, 10_000)
    positions = store.load().positions
    for row, item_id in enumerate(answer["ids"]):
        picture = picture_of(client, item_id)
        assert answer["emotions"][answer["emotion"][row]] == picture["emotion"]
        assert answer["labels"][answer["label"][row]] == picture["label"]
        assert (answer["x"][row], answer["y"][row]) == tuple(round(float(p) * 10_000) for p in positions[row])


def test_above_the_limit_it_is_always_the_same_sample(client):
    first, second = (client.get("/map", params={"limit": 5}).json() for _ in range(2))
    assert first == second
    assert len(set(first["ids"])) == 5
    assert first["count"] == 12


def test_the_places_of_some_pictures(client):
    whole = client.get("/map").json()
    wanted = [whole["ids"][7], "0" * 32, whole["ids"][2]]
    answer = client.get("/map", params={"id": wanted, "limit": 5}).json()
    assert answer["ids"] == [whole["ids"][2], whole["ids"][7]]
    assert answer["x"] == [whole["x"][2], whole["x"][7]]
    assert client.get("/map", params={"id": "unknown"}).json()["ids"] == []


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"limit": 100_001}, {"limit": "x"}, {"id": ["x"] * 201}])
def test_what_it_refuses(client, problem, wrong):
    problem(client.get("/map", params=wrong), 422, "invalid_parameter")


def test_the_etag_changes_with_the_map_alone(client, auth, store, predictor, wait_until):
    first = client.get("/map")
    tag = first.headers["ETag"]
    assert tag.startswith(f'"{store.current_version()}-')
    again = client.get("/map", headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    assert client.get("/map", params={"limit": 5}, headers={"If-None-Match": tag}).status_code == 200
    gone = first.json()["ids"][3]
    client.delete(f"/images/{gone}", headers=auth)
    after = client.get("/map", headers={"If-None-Match": tag})
    assert after.status_code == 200
    assert gone not in after.json()["ids"]
    version = rebuild(store, predictor).manifest.version
    wait_until(lambda: client.get("/map").json()["index_version"] == version)
    assert len(client.get("/map").json()["ids"]) == 11


def test_an_added_picture_has_a_place_after_the_next_build(client, auth, store, predictor, wait_until):
    item = client.post("/images", files={"file": ("x.png", encoded(50))}, headers=auth).json()["items"][0]
    before = client.get("/map").json()
    assert (before["added"], item["picture"]["id"] in before["ids"]) == (1, False)
    rebuild(store, predictor)
    wait_until(lambda: client.get("/map").json()["added"] == 0)
    after = client.get("/map").json()
    assert item["picture"]["id"] in after["ids"]
    assert after["label"][after["ids"].index(item["picture"]["id"])] is None


def test_an_index_without_a_map_says_what_draws_one(store, serve, problem):
    """As one is that was made before there were maps."""
    old = store.load()
    manifest = read_manifest(store.snapshots / old.manifest.version)
    draft = SnapshotDraft(old.rows, manifest.model_id, manifest.precision, manifest.taxonomy)
    with store.writer_lock():
        store.publish(store.stage(draft))
    client = serve()
    assert "rebuild" in problem(client.get("/map"), 404, "map_missing")["detail"]
    assert client.post("/search", content=encoded(3)).status_code == 200


def test_without_an_index_there_is_no_map(empty_store, serve, problem):
    problem(serve().get("/map"), 503, "not_ready")
