"""Filters, moods, batches and /embed: each held to its definition, written slowly over all pictures."""

import json
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest

from emotion.predictor import Predictor
from emotion.runtime import Device
from fakes import encoded, picture, tiny_bundle, tiny_predictor, write_gallery
from index.additions import remove_picture
from index.build import build_flat
from index.device import DeviceIndex
from index.gallery import GalleryRoot
from index.rebuild import rebuild
from index.search import SearchIndex
from service import filtering
from service.answers import find_similar
from service.fingerprints import fingerprint, is_same

N = 40
QUERY = encoded(1000)


@pytest.fixture
def gallery(tmp_path):
    """Pictures of two labels in a manifest, two of them in one class folder."""
    folder = tmp_path / "gallery"
    files = write_gallery(folder, N - 4)
    lines = [f"{path.relative_to(folder)},{('awe', 'Fear|night', '')[i % 3]},{i % 4}" for i, path in enumerate(files)]
    (folder / "manifest.csv").write_text("path,label,year\n" + "\n".join(lines) + "\n")
    return folder


@pytest.fixture
def client(store, serve, auth):
    """The last four pictures are added to the running service, so that every search crosses the seam."""
    client = serve()
    for seed in range(N - 4, N):
        said = {"label": "awe", "metadata": json.dumps({"year": "1"})}
        assert client.post("/images", files={"file": encoded(seed)}, data=said, headers=auth).status_code == 201
    return client


@pytest.fixture
def everything(client):
    """Every picture, nearest first, as the plain search gives them."""
    return client.post("/search", params={"k": 100}, content=QUERY).json()["results"]


def ask(client, **params):
    response = client.post("/search", params=params, content=QUERY)
    assert response.status_code == 200, response.text
    return response.json()["results"]


def reranked(results):
    return [{**result, "rank": rank} for rank, result in enumerate(results, start=1)]


FILTERS = [
    ({"label": "awe"}, lambda one: one["label"] == "awe"),
    ({"label": ["FEAR", "x"]}, lambda one: one["label"] == "Fear|night"),
    ({"label": "night"}, lambda one: one["label"] == "Fear|night"),
    ({"label": "nothing"}, lambda one: False),
    ({"metadata": "year:1"}, lambda one: one["metadata"].get("year") == "1"),
    ({"metadata": ["year:1", "year:2"]}, lambda one: False),
    ({"polarity": "negative"}, lambda one: one["polarity"] == "negative"),
    ({"polarity": "positive", "label": "awe"}, lambda one: (one["polarity"], one["label"]) == ("positive", "awe")),
    ({"emotion": ["amusement", "awe"]}, lambda one: one["emotion"] in ("amusement", "awe")),
    ({"max_distance": 0.3}, lambda one: one["distance"] <= 0.3),
    ({"max_distance": 0}, lambda one: one["distance"] == 0),
]


@pytest.mark.parametrize("most", [1, 2048], ids=["by comparing all", "by the index"])
def test_filters_are_the_plain_answer_with_the_others_left_out(client, everything, monkeypatch, most):
    """Through the index, and where too few pass for that, through a comparison with all."""
    monkeypatch.setattr(filtering, "MOST_ASKED_OF_INDEX", most)
    assert len(everything) == N
    for params, passes in FILTERS:
        expected = reranked([one for one in everything if passes(one)])
        for k in (1, 3, 100):
            assert ask(client, k=k, **params) == expected[:k], (params, k)


@pytest.mark.parametrize("most", [1, 2048], ids=["by comparing all", "by the index"])
def test_neighbours_are_filtered_as_searches_are(client, everything, monkeypatch, most):
    """The plain neighbours with the others left out; and a search with the picture itself, without it."""
    monkeypatch.setattr(filtering, "MOST_ASKED_OF_INDEX", most)
    for url in (everything[0]["url"], everything[-1]["url"]):
        plain = client.get(f"{url}/neighbours", params={"k": 100}).json()["results"]
        assert len(plain) == N - 1
        for params, passes in FILTERS:
            expected = reranked([one for one in plain if passes(one)])
            for k in (1, 100):
                answer = client.get(f"{url}/neighbours", params={"k": k, **params}).json()
                assert answer["results"] == expected[:k], (params, k)
                assert answer["picture"]["url"] == url


def test_neighbours_move_towards_a_mood(client, everything):
    mood = everything[-1]["emotion"]
    url = everything[0]["url"]
    data = client.get(url).content
    for weight in (0.0, 0.4, 1.0):
        wish = {"k": 100, "mood": mood, "mood_weight": weight}
        searched = client.post("/search", params=wish, content=data).json()["results"]
        near = client.get(f"{url}/neighbours", params=wish).json()["results"]
        assert near == reranked([one for one in searched if one["url"] != url])


def test_neighbours_without_duplicates_hold_none_of_the_picture_itself(client, auth):
    variants = [saved_again(77, (400, 300), 90), saved_again(77, (200, 150), 80)]
    items = client.post("/images", files=[("file", one) for one in variants], headers=auth).json()["items"]
    first, second = (item["picture"] for item in items)

    def near(**params):
        results = client.get(f"{first['url']}/neighbours", params={"k": 100, **params}).json()["results"]
        return [one["id"] for one in results]

    assert second["id"] in near()
    assert second["id"] not in near(dedupe=True)
    assert second["id"] not in near(dedupe=True, max_distance=1.9)


def test_filters_leave_out_what_was_deleted(client, everything, auth):
    labelled = [one for one in everything if one["label"] == "awe"]
    client.delete(labelled[0]["url"], headers=auth)
    assert [one["id"] for one in ask(client, k=1, label="awe")] == [labelled[1]["id"]]


REFUSED = [
    ({"emotion": "joy"}, "emotion: unknown emotion 'joy'"),
    ({"mood": "joy"}, "mood: unknown emotion 'joy'"),
    ({"polarity": "neutral"}, "polarity: "),
    ({"metadata": "year"}, "metadata: 'year' is not of the form key:value"),
    ({"max_distance": -1}, "max_distance: "),
    ({"max_distance": "nan"}, "max_distance: "),
    ({"mood_weight": 0.5}, "mood_weight: says how far"),
    ({"mood": "awe", "mood_weight": 1.5}, "mood_weight: "),
    ({"mood": "awe", "mood_weight": "nan"}, "mood_weight: "),
    ({"label": ["x"] * 33}, "label: "),
]


def test_wishes_that_cannot_be_fulfilled(client, problem):
    for params, text in REFUSED:
        url = f"/images/{'0' * 32}/neighbours"
        for response in (client.post("/search", params=params, content=QUERY), client.get(url, params=params)):
            assert text in problem(response, 422, "invalid_parameter")["detail"]


def centre_of(store, mood: str, extra: np.ndarray, extra_moods: list[str], taxonomy) -> np.ndarray:
    """The definition, one picture after the other."""
    snapshot = store.load()
    total = np.zeros(snapshot.vectors.shape[1])
    for vector, probabilities in zip(snapshot.vectors, snapshot.probabilities, strict=True):
        if taxonomy.names[int(np.argmax(probabilities))] == mood:
            total += vector
    for vector, its_mood in zip(extra, extra_moods, strict=True):
        total += vector if its_mood == mood else 0
    return total / np.linalg.norm(total)


def test_a_mood_moves_the_query_and_alone_it_is_the_query(client, store, predictor, everything):
    mood = everything[-1]["emotion"]
    added = predictor.predict([encoded(seed) for seed in range(N - 4, N)])
    names = [predictor.taxonomy.names[int(one.argmax())] for one in added.probabilities]
    centre = centre_of(store, mood, added.embeddings, names, predictor.taxonomy)
    vectors = np.concatenate([store.load().vectors, added.embeddings])
    own = predictor.predict([QUERY]).embeddings[0].astype(np.float64)
    for weight, share in ((None, 0.3), (0.0, 0.0), (0.3, 0.3), (1.0, 1.0)):
        query = (1 - share) * own + share * centre
        nearest = np.sort(np.linalg.norm(vectors - query / np.linalg.norm(query), axis=1))[:8]
        wish = {"mood": mood} | ({} if weight is None else {"mood_weight": weight})
        np.testing.assert_allclose([one["distance"] for one in ask(client, k=8, **wish)], nearest, atol=1e-5)
    alone = client.get("/search", params={"mood": mood, "k": 8}).json()
    assert alone["mood"] == mood
    assert [one["id"] for one in alone["results"]] == [one["id"] for one in ask(client, k=8, **wish)]
    filtered = client.get("/search", params={"mood": mood, "k": 8, "label": "awe"}).json()["results"]
    assert {one["label"] for one in filtered} == {"awe"}


def test_a_mood_that_no_picture_has(empty_store, serve, tmp_path, predictor, problem):
    write_gallery(tmp_path / "two", 2)
    rebuild(empty_store, predictor, root=GalleryRoot(path=tmp_path / "two"))
    client = serve()
    missing = sorted(set(predictor.taxonomy.names) - {one["emotion"] for one in ask(client)})
    response = client.get("/search", params={"mood": missing[0]})
    assert "the gallery has no picture" in problem(response, 422, "invalid_parameter")["detail"]
    problem(client.get("/search"), 422, "invalid_parameter")


def saved_again(seed: int, size: tuple[int, int], quality: int) -> bytes:
    buffer = BytesIO()
    picture(seed, (400, 300)).resize(size).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def test_dedupe_leaves_one_of_each_picture(client, auth):
    variants = [saved_again(77, (400, 300), 90), saved_again(77, (200, 150), 80), saved_again(77, (400, 300), 50)]
    items = client.post("/images", files=[("file", one) for one in variants], headers=auth).json()["items"]
    ids = {item["picture"]["id"] for item in items}
    assert len(ids) == 3
    plain = ask(client, k=100)
    distinct: list[str] = []
    seen: list[int] = []
    for one in plain:
        own = fingerprint(client.get(one["thumbnail_url"]).content)
        if not any(is_same(own, other) for other in seen):
            distinct.append(one["id"])
            seen.append(own)
    assert len(ids & {one["id"] for one in plain}) == 3
    assert len(ids & set(distinct)) == 1
    assert [one["id"] for one in ask(client, k=100, dedupe=True)] == distinct
    assert ask(client, k=5) == ask(client, k=5, dedupe=False)


def test_fingerprints_tell_pictures_apart():
    one = fingerprint(saved_again(1, (256, 192), 90))
    assert is_same(one, fingerprint(saved_again(1, (128, 96), 60)))
    assert not any(is_same(one, fingerprint(saved_again(seed, (256, 192), 90))) for seed in range(2, 30))


def test_a_picture_whose_file_has_vanished_is_no_duplicate(client, gallery):
    for path in gallery.rglob("*.png"):
        path.unlink()
    assert len(ask(client, k=100, dedupe=True)) >= N - 4


def test_filters_and_moods_with_a_model_of_several_emotions(empty_store, serve, tmp_path, predictor):
    thresholds = dict.fromkeys(predictor.taxonomy.names, 0.6)
    several = Predictor(tiny_bundle(tmp_path / "several", thresholds=thresholds), predictor.runtime)
    write_gallery(tmp_path / "plain", 20)
    rebuild(empty_store, several, root=GalleryRoot(path=tmp_path / "plain"))
    client = serve(predictor=several)
    everything = ask(client, k=100)
    for name in predictor.taxonomy.names:
        expected = reranked([one for one in everything if name in one["emotions"]])
        assert ask(client, k=100, emotion=name) == expected
    common = everything[0]["emotions"][0]
    assert client.get("/search", params={"mood": common}).status_code == 200


def test_embed_gives_the_numbers_that_searches_compare(client, predictor):
    answer = client.post("/embed", content=QUERY).json()
    np.testing.assert_array_equal(np.float32(answer["embedding"]), predictor.predict([QUERY]).embeddings[0])
    assert (answer["precision"], answer["model_id"]) == ("fp32", predictor.model_id)


def test_batches_answer_as_single_requests_do(client):
    pictures = [QUERY, b"no picture", encoded(3), b""]
    files = [("file", data) for data in pictures]
    classified = client.post("/classify/batch", files=files).json()["items"]
    searched = client.post("/search/batch", files=files, params={"k": 3, "label": "awe"}).json()["items"]
    for data, one, other in zip(pictures, classified, searched, strict=True):
        alone = client.post("/search", content=data, params={"k": 3, "label": "awe"})
        if alone.status_code == 200:
            assert (other["query"], other["results"]) == (alone.json()["query"], alone.json()["results"])
            assert one["classification"] == other["query"]
            assert one["error"] is other["error"] is None
        else:
            refusal = {key: alone.json()[key] for key in ("title", "status", "detail", "code")}
            assert one == {"classification": None, "error": refusal}
            assert other == {"query": None, "results": None, "error": refusal}


def test_batches_are_limited(client, serve, problem):
    for route in ("/classify/batch", "/search/batch"):
        problem(client.post(route, files=[("file", QUERY)] * 17), 400, "malformed_body")
        problem(client.post(route, content=QUERY), 415, "unsupported_content_type")
        problem(client.post(route, files={"file": QUERY}, data={"label": "x"}), 400, "malformed_body")
    busy = serve(max_batches=1)
    with busy.app.state.services.batches.admission():
        problem(busy.post("/classify/batch", files={"file": QUERY}), 503, "overloaded")


def test_another_model_s_gallery_is_not_mixed_into_moods(store, serve, tmp_path, wait_until):
    client = serve()
    before = client.get("/search", params={"mood": ask(client, k=1)[0]["emotion"]}).json()
    rebuild(store, tiny_predictor(tmp_path, "other"))
    wait_until(lambda: client.get("/readyz").json()["warnings"])
    assert client.get("/search", params={"mood": before["mood"]}).json() == before


def test_an_index_that_gives_few_hits_is_never_asked_for_more(client, store, everything, predictor):
    """As on a GPU. The plain search then gives what is left of them, a filtered one compares with all."""
    parts = client.app.state.services
    snapshot = store.load()
    on_gpu = DeviceIndex(build_flat(np.asarray(snapshot.vectors)), Device.CUDA, gpu_max_k=20)
    gallery = replace(snapshot, index=SearchIndex(on_gpu, snapshot.vectors, snapshot.ids))
    query = predictor.predict([QUERY]).embeddings[0]
    nearest = [one["id"] for one in everything if one["id"] in snapshot.ids]
    for item_id in nearest[:15]:
        remove_picture(store, item_id)
    wanted = (parts.store.catalog, parts.naming, query, 10)
    assert [one.id for one in find_similar(gallery, *wanted)] == nearest[15:20]
    every = filtering.Filters(max_distance=2.0)
    found = filtering.find_filtered(gallery, *wanted, every, parts.fingerprints)
    assert [one.id for one in found] == nearest[15:25]
