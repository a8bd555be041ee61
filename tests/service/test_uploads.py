"""Bodies that cannot be used, however they arrive."""

from io import BytesIO

import pytest
from PIL import Image

from fakes import encoded

PNG = encoded(3)
LIMIT = 50_000


@pytest.fixture
def small(store, serve):
    """An app with a small limit for uploads."""
    return serve(max_upload_bytes=LIMIT)


def chunked(data: bytes):
    """A body without Content-Length."""
    for start in range(0, len(data), 1000):
        yield data[start : start + 1000]


def form(data: bytes, name: str = "file", end: bytes = b"--b--\r\n") -> bytes:
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"; filename="x.png"\r\n\r\n'.encode()
    return head + data + b"\r\n" + end


MULTIPART = {"Content-Type": "multipart/form-data; boundary=b"}
RAW = {"Content-Type": "image/png"}


@pytest.mark.parametrize("route", ["/classify", "/search"])
@pytest.mark.parametrize("n_bytes", [LIMIT + 1, 10 * LIMIT])
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("multipart", [False, True])
def test_too_many_bytes(small, route, n_bytes, streamed, multipart, problem):
    body = form(b"x" * n_bytes) if multipart else b"x" * n_bytes
    content = chunked(body) if streamed else body
    response = small.post(route, content=content, headers=MULTIPART if multipart else RAW)
    assert str(LIMIT) in problem(response, 413, "picture_too_large")["detail"]


def test_a_picture_of_exactly_the_limit_is_taken(store, serve):
    client = serve(max_upload_bytes=len(PNG))
    assert client.post("/classify", content=PNG).status_code == 200
    assert client.post("/classify", files={"file": ("x.png", PNG)}).status_code == 200


@pytest.mark.parametrize(
    ("content", "headers", "status", "code"),
    [
        (b"", RAW, 400, "empty_picture"),
        (b"", {}, 400, "empty_picture"),
        (form(b""), MULTIPART, 400, "empty_picture"),
        (form(PNG, name="picture"), MULTIPART, 400, "malformed_body"),
        (form(PNG, end=b""), MULTIPART, 400, "malformed_body"),
        (b"no form at all", MULTIPART, 400, "malformed_body"),
        (b"", MULTIPART, 400, "malformed_body"),
        (form(PNG), {"Content-Type": "multipart/form-data"}, 400, "malformed_body"),
        (
            b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\ntext\r\n--b--\r\n',
            MULTIPART,
            400,
            "malformed_body",
        ),
        (b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}, 415, "unsupported_content_type"),
        (b"{}", {"Content-Type": "application/json"}, 415, "unsupported_content_type"),
        (b"GIF89a" + bytes(100), RAW, 415, "unsupported_format"),
        (b"%PDF-1.4", {"Content-Type": "image/jpeg"}, 415, "unsupported_format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", {"Content-Type": "image/svg+xml"}, 415, "unsupported_format"),
        (PNG[: len(PNG) // 2], RAW, 422, "undecodable_picture"),
        (encoded(1, "JPEG")[:200], RAW, 422, "undecodable_picture"),
    ],
)
def test_bodies_that_cannot_be_used(client, content, headers, status, code, problem):
    for route in ("/classify", "/search"):
        problem(client.post(route, content=content, headers=headers), status, code)


def test_two_files_are_one_too_many(client, problem):
    files = [("file", ("a.png", PNG)), ("file", ("b.png", PNG))]
    assert "one picture" in problem(client.post("/classify", files=files), 400, "malformed_body")["detail"]


def test_other_fields_do_no_harm(client):
    assert client.post("/classify", data={"comment": "x"}, files={"file": ("a.png", PNG)}).status_code == 200


def test_too_many_pixels_are_seen_in_the_header(store, settings, tmp_path, problem):
    from fastapi.testclient import TestClient

    from emotion.bundle import load_bundle
    from emotion.predictor import Predictor
    from fakes import FakeRuntime
    from service.app import create_app

    limited = settings(max_pixels=10_000)
    predictor = Predictor(load_bundle(limited.bundle), FakeRuntime(), limited.picture_limits)
    buffer = BytesIO()
    Image.new("RGB", (200, 100)).save(buffer, "PNG")
    with TestClient(create_app(limited, predictor=predictor)) as client:
        problem(client.post("/classify", content=buffer.getvalue()), 422, "too_many_pixels")


def test_a_bad_picture_costs_no_other(client):
    assert client.post("/classify", content=b"junk").status_code == 415
    assert client.post("/classify", content=PNG).status_code == 200
