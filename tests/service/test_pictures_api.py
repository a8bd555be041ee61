"""What a client sees of /classify, /search and /images."""

import errno
import hashlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from emotion.network.spec import NetworkSpec, SentimentVectorSpec
from emotion.predictor import Predictor
from fakes import DIM, FakeRuntime, encoded, noise, tiny_bundle
from index.catalog import PictureState
from index.rebuild import rebuild
from service.pictures import GalleryFiles, Original

PNG = encoded(3)


def search(client, data=PNG, **params):
    return client.post("/search", params=params, files={"file": ("x.png", data)})


def test_classify_gives_what_the_predictor_says(client, predictor):
    answer = client.post("/classify", files={"file": ("x.png", PNG)}).json()
    expected = predictor.predict([PNG]).probabilities[0]
    names = predictor.taxonomy.names
    assert list(answer["probabilities"]) == list(names)
    np.testing.assert_allclose(list(answer["probabilities"].values()), expected, atol=1e-6)
    assert answer["emotion"] == names[int(expected.argmax())]
    assert answer["confidence"] == max(answer["probabilities"].values())
    assert answer["model_id"] == predictor.model_id
    sides = {"positive": 0.0, "negative": 0.0}
    for name, probability in answer["probabilities"].items():
        sides[predictor.taxonomy.polarity_of(name)] += probability
    assert answer["polarity_probabilities"] == pytest.approx(sides, abs=1e-5)
    assert answer["polarity"] == max(sides, key=sides.get)


def test_classify_and_search_say_whether_the_picture_is_of_a_kind_the_model_knows(client, predictor):
    expected = predictor.predict([PNG]).familiarity[0]
    for answer in (client.post("/classify", content=PNG).json(), search(client).json()["query"]):
        assert answer["familiarity"] == pytest.approx(float(expected), abs=1e-6)
        assert answer["unfamiliar"] is False
    for answer in (client.post("/classify", content=noise()).json(), search(client, noise()).json()["query"]):
        assert (answer["familiarity"], answer["unfamiliar"]) == (0, True)


def test_a_model_that_does_not_measure_familiarity_says_null(empty_store, serve, tmp_path):
    spec = NetworkSpec(sentiment_vector=SentimentVectorSpec(n_filters=1, n_levels=DIM))
    old = Predictor(tiny_bundle(tmp_path / "old", network=spec, familiarity=None), FakeRuntime())
    answer = serve(predictor=old).post("/classify", content=PNG).json()
    assert (answer["familiarity"], answer["unfamiliar"]) == (None, None)


@pytest.mark.parametrize("content_type", ["image/png", "image/jpeg", "application/octet-stream", None])
def test_a_raw_body_is_answered_like_a_form(client, content_type):
    headers = {"Content-Type": content_type} if content_type else {}
    raw = client.post("/classify", content=PNG, headers=headers)
    form = client.post("/classify", files={"file": ("../../etc/passwd", PNG, "text/html")})
    assert raw.status_code == form.status_code == 200
    assert raw.json() == form.json()


@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP"])
def test_all_formats_are_read(client, fmt):
    assert client.post("/classify", content=encoded(1, fmt)).status_code == 200


@pytest.mark.parametrize("k", [1, 3, 12, 100])
def test_search_gives_the_true_neighbours_in_order(client, store, predictor, k):
    results = search(client, k=k).json()["results"]
    snapshot = store.load()
    query = predictor.predict([PNG]).embeddings[0]
    exact = np.linalg.norm(snapshot.vectors.astype(np.float64) - query, axis=1)
    order = np.lexsort((np.array(snapshot.ids), exact))[:k]
    assert [result["id"] for result in results] == [snapshot.ids[row] for row in order]
    np.testing.assert_allclose([result["distance"] for result in results], exact[order], atol=2e-6)
    assert [result["rank"] for result in results] == list(range(1, min(k, 12) + 1))


def test_a_result_tells_label_prediction_and_where_its_files_are(client, gallery):
    answer = search(client, k=1).json()
    best = answer["results"][0]
    assert best["distance"] == 0
    assert best["id"] == hashlib.sha256(PNG).hexdigest()[:32]
    assert best["label"] == "fear"
    assert best["emotion"] == answer["query"]["emotion"]
    assert best["url"] == f"/images/{best['id']}"
    assert best["thumbnail_url"] == f"{best['url']}/thumbnail"
    assert client.get(best["url"]).content == (gallery / "fear" / "0003.png").read_bytes()


def test_ten_results_unless_asked_otherwise(client, store, serve):
    assert len(search(client).json()["results"]) == 10
    assert len(search(serve(default_k=2)).json()["results"]) == 2


@pytest.mark.parametrize("k", ["0", "-1", "101", str(10**9), "x", "", "1.5", "9" * 400])
def test_k_out_of_range(client, k, problem):
    assert problem(search(client, k=k), 422, "invalid_parameter")["detail"].startswith("k: ")


def test_what_was_deleted_since_is_not_found(client, store, problem):
    first, second = (result["id"] for result in search(client, k=2).json()["results"])
    store.catalog.set_state(first, PictureState.DELETED)
    results = search(client, k=12).json()["results"]
    assert results[0]["id"] == second
    assert len(results) == 11
    assert [result["id"] for result in search(client, k=1).json()["results"]] == [second]
    for path in ("", "/thumbnail", "/neighbours"):
        problem(client.get(f"/images/{first}{path}"), 404, "unknown_image")


def test_neighbours_leave_the_picture_out(client, problem):
    results = search(client, k=5).json()["results"]
    near = client.get(f"/images/{results[0]['id']}/neighbours", params={"k": 4}).json()
    assert near["picture"]["id"] == results[0]["id"]
    assert [one["id"] for one in near["results"]] == [one["id"] for one in results[1:]]
    assert [one["rank"] for one in near["results"]] == [1, 2, 3, 4]
    problem(client.get(f"/images/{results[0]['id']}/neighbours", params={"k": 0}), 422, "invalid_parameter")


def test_an_original_is_served_as_it_is(client, gallery):
    original = client.get(f"/images/{hashlib.sha256(PNG).hexdigest()[:32]}")
    assert original.content == PNG
    assert original.headers["Content-Type"] == "image/png"
    assert original.headers["X-Content-Type-Options"] == "nosniff"
    head = client.head(original.url)
    assert (head.status_code, head.content, head.headers["ETag"]) == (200, b"", original.headers["ETag"])
    again = client.get(original.url, headers={"If-None-Match": original.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("id", ["0" * 32, "x", "%2e%2e%2fcatalog.sqlite", "..%2f..%2fetc%2fpasswd", "a'--"])
@pytest.mark.parametrize("what", ["", "/thumbnail", "/neighbours"])
def test_unknown_ids_and_paths(client, id, what):  # noqa: A002
    response = client.get(f"/images/{id}{what}")
    assert response.status_code == 404
    assert response.json()["code"] in ("unknown_image", "not_found")


def test_an_original_deleted_while_it_is_answered_is_sent_whole(client, gallery, monkeypatch, problem):
    """The head says how long it is; opened after that, there would be nothing to send."""
    url = f"/images/{hashlib.sha256(PNG).hexdigest()[:32]}"
    look = GalleryFiles.original

    def look_and_lose(files, item_id):
        original = look(files, item_id)
        (gallery / "fear" / "0003.png").unlink()
        return original

    monkeypatch.setattr(GalleryFiles, "original", look_and_lose)
    assert client.get(url).content == PNG
    problem(client.get(url), 404, "image_file_missing")


def test_an_original_that_cannot_be_read_to_its_end_has_no_thumbnail(client, monkeypatch, problem):
    class Broken(BytesIO):
        def read(self, *_):
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(GalleryFiles, "original", lambda *_: Original(Broken(), len(PNG), "image/png"))
    url = f"/images/{hashlib.sha256(PNG).hexdigest()[:32]}/thumbnail"
    problem(client.get(url), 404, "image_file_missing")


def test_a_vanished_original_has_its_own_code(client, gallery, problem):
    url = f"/images/{hashlib.sha256(PNG).hexdigest()[:32]}"
    (gallery / "fear" / "0003.png").unlink()
    problem(client.get(url), 404, "image_file_missing")
    problem(client.get(f"{url}/thumbnail"), 404, "image_file_missing")
    assert search(client, k=1).json()["results"][0]["url"] == url


def test_a_file_with_other_bytes_is_not_served(client, gallery, problem):
    url = f"/images/{hashlib.sha256(PNG).hexdigest()[:32]}"
    file = gallery / "fear" / "0003.png"
    file.write_bytes(PNG[:-1] + b"!")  # the same size
    problem(client.get(url), 404, "image_file_missing")
    file.unlink()
    file.symlink_to("/etc/hostname")
    problem(client.get(url), 404, "image_file_missing")


def test_a_touched_file_is_still_the_picture(client, gallery):
    (gallery / "fear" / "0003.png").touch()
    assert client.get(f"/images/{hashlib.sha256(PNG).hexdigest()[:32]}").content == PNG


def test_thumbnails_are_small_jpegs_made_once(client, store, gallery, predictor):
    (gallery / "awe" / "large.jpg").write_bytes(encoded(99, "JPEG", size=(1200, 600)))
    rebuild(store, predictor)
    url = f"/images/{hashlib.sha256(encoded(99, 'JPEG', size=(1200, 600))).hexdigest()[:32]}/thumbnail"
    first = client.get(url)
    assert first.headers["Content-Type"] == "image/jpeg"
    with Image.open(BytesIO(first.content)) as picture:
        assert (picture.format, picture.size) == ("JPEG", (256, 128))
    (gallery / "awe" / "large.jpg").unlink()
    assert client.get(url).content == first.content  # kept on disk
    assert [file.suffix for file in store.thumbnails.iterdir()] == [".jpg"]
    assert client.get(url, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
