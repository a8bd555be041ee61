"""GET /images/details, and what browsers need not be sent twice."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from emotion.images import upright_size
from fakes import encoded
from index.catalog import PictureState
from service.routes.details import MOST_AT_ONCE

PNG = encoded(3)


def ids(client, k=12):
    return [result["id"] for result in client.post("/search", params={"k": k}, content=PNG).json()["results"]]


def test_details_hold_what_the_model_said_of_the_picture(client):
    first, second = ids(client, 2)
    answer = client.get("/images/details", params={"id": [second, first, second]}).json()
    assert [one["id"] for one in answer["pictures"]] == [second, first]
    own = answer["pictures"][1]
    same_upload = client.post("/classify", content=PNG).json()
    assert own["probabilities"] == pytest.approx(same_upload["probabilities"], abs=1e-5)
    assert own["polarity_probabilities"] == pytest.approx(same_upload["polarity_probabilities"], abs=1e-5)
    assert own["emotion"] == same_upload["emotion"]
    assert (own["width"], own["height"]) == (40, 30)
    near = client.get(f"/images/{first}/neighbours").json()["picture"]
    assert {key: own[key] for key in near} == near


def test_ids_that_the_gallery_does_not_hold_are_left_out(client, store):
    first, second = ids(client, 2)
    store.catalog.set_state(first, PictureState.DELETED)
    answer = client.get("/images/details", params={"id": [first, "x", second]}).json()
    assert [one["id"] for one in answer["pictures"]] == [second]


@pytest.mark.parametrize("wanted", [[], ["x"] * (MOST_AT_ONCE + 1)])
def test_none_or_too_many_ids_are_refused(client, wanted, problem):
    problem(client.get("/images/details", params={"id": wanted}), 422, "invalid_parameter")


def test_a_picture_whose_file_is_gone_has_no_size(client, gallery):
    (first,) = ids(client, 1)
    (gallery / "fear" / "0003.png").unlink()
    (one,) = client.get("/images/details", params={"id": first}).json()["pictures"]
    assert (one["width"], one["height"]) == (None, None)
    assert one["probabilities"]


def test_without_an_index_there_are_none(serve, empty_store, problem):
    problem(serve().get("/images/details", params={"id": "x"}), 503, "not_ready")


@pytest.mark.parametrize(
    ("orientation", "size"), [(None, (40, 30)), (1, (40, 30)), (3, (40, 30)), (6, (30, 40)), (8, (30, 40))]
)
def test_a_size_is_that_of_the_upright_picture(tmp_path, orientation, size):
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(tmp_path / "turned.jpg", exif=exif)
    assert upright_size(tmp_path / "turned.jpg") == size


@pytest.mark.parametrize("path", ["/", "/static/js/main.js", "/static/style.css"])
def test_the_page_and_its_files_are_not_sent_twice(client, path):
    first = client.get(path)
    assert first.headers["Cache-Control"] == "no-cache"
    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert client.get(path, headers={"If-None-Match": '"another"'}).content == first.content


@pytest.mark.parametrize("what", ["", "/thumbnail"])
def test_pictures_are_kept_by_the_browser_for_a_day_and_not_sent_twice(client, what):
    (first,) = ids(client, 1)
    picture = client.get(f"/images/{first}{what}")
    assert picture.headers["Cache-Control"] == "private, max-age=86400"
    Image.open(BytesIO(picture.content)).verify()
    again = client.get(picture.url, headers={"If-None-Match": picture.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_deleted_picture_is_not_vouched_for(client, store, problem):
    (first,) = ids(client, 1)
    tag = client.get(f"/images/{first}/thumbnail").headers["ETag"]
    store.catalog.set_state(first, PictureState.DELETED)
    problem(client.get(f"/images/{first}/thumbnail", headers={"If-None-Match": tag}), 404, "unknown_image")
