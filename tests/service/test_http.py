"""What holds for every answer: problems, request ids, headers, the OpenAPI document, the operation routes."""

import logging
import re
from hashlib import sha256

import pytest
from fastapi.testclient import TestClient
from pydantic import TypeAdapter

from fakes import encoded
from index.catalog import picture_id
from service import live_schemas, schemas
from service.app import create_app
from service.gallery_map import MapAnswer

PNG = encoded(3)


def test_no_such_route_and_wrong_method(client, problem):
    assert "/nothing" in problem(client.get("/nothing"), 404, "not_found")["detail"]
    allowed = {"/search": "GET, POST", "/images": "GET, POST", f"/images/{'0' * 32}": "DELETE, GET, HEAD"}
    allowed |= {"/images/details": "GET"}
    for path, methods in (allowed | {"/admin/jobs/x": "DELETE, GET", "/": "GET, HEAD", "/info": "GET"}).items():
        response = client.put(path)
        problem(response, 405, "method_not_allowed")
        assert response.headers["Allow"] == methods


def test_no_parameter_is_read_in_a_thread(client, monkeypatch):
    """The framework runs a plain function that a route depends on in a thread; two of them made /search slow (E31)."""
    monkeypatch.setattr("fastapi.dependencies.utils.run_in_threadpool", None)
    assert client.post("/search", content=PNG, params={"mood": "awe", "emotion": "fear"}).status_code == 200
    assert client.post("/classify", content=PNG).status_code == 200
    for path in ("/search?mood=awe", "/images", "/info", f"/images/{picture_id(sha256(PNG).hexdigest())}/neighbours"):
        assert client.get(path).status_code == 200, path


@pytest.mark.parametrize("given", ["abc", "A-1.b_c", "x" * 64])
def test_a_sane_request_id_is_kept(client, given, problem):
    response = client.get("/nothing", headers={"X-Request-ID": given})
    assert problem(response, 404, "not_found")["request_id"] == given
    assert client.get("/livez", headers={"X-Request-ID": given}).headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\tb", "<script>", "é".encode(), b"a%0d%0aSet-Cookie:x"])
def test_any_other_request_id_is_replaced(client, given):
    response = client.get("/livez", headers={"X-Request-ID": given})
    assert re.fullmatch("[0-9a-f]{32}", response.headers["X-Request-ID"])
    assert "Set-Cookie" not in response.headers


def test_log_lines_carry_the_id_and_no_line_breaks_of_the_client(client, caplog):
    with caplog.at_level(logging.INFO, "feelalike.http"):
        client.get("/images/a%0aFAKE%20LINE")
    assert "\n" not in caplog.messages[-1]
    assert "GET /images/a%0AFAKE%20LINE 404" in caplog.messages[-1]


def test_an_unforeseen_error_tells_nothing_of_our_insides(store, serve, predictor, caplog, problem):
    class Broken:
        def __getattr__(self, name):
            return getattr(predictor, name)

        def prepare(self, data):
            raise RuntimeError("secret path /srv/keys")

    client = serve(predictor=Broken())
    response = client.post("/classify", content=PNG)
    assert "secret" not in problem(response, 500, "internal_error")["detail"]
    assert "secret path" in caplog.text
    assert client.get("/livez").status_code == 200


def test_security_headers(client):
    policy = client.get("/").headers["Content-Security-Policy"]
    assert "http" not in policy  # the page needs no outside address
    assert "script-src" not in policy
    assert "default-src 'self'" in policy
    for path in ("/", "/livez", "/nothing", "/static/js/main.js"):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
    assert client.get("/docs").status_code == 200


def test_every_answer_has_its_id_and_its_headers_whatever_gave_it(store, serve, auth):
    """Refused at the door, before routing, by the framework or by a route; answered, or found unchanged."""
    plain, closed = serve(max_uploads=1), serve(read_token="may read", rate_limit_per_s=0.001, rate_limit_burst=1)
    picture = plain.get("/images", params={"limit": 1}).json()["pictures"][0]["url"]
    with plain.app.state.services.decoders.admission():
        answers = [plain.post("/search", content=PNG)]
    answers += [
        plain.get("/nothing"),
        plain.put("/search"),
        plain.get("/docs/", follow_redirects=False),
        plain.get("/static/nothing"),
        plain.get(picture),
        plain.get(picture, headers={"If-None-Match": "*"}),
        plain.post("/classify", content=b"no picture"),
        plain.post("/admin/index/rollback"),
        closed.get("/info"),
        closed.get("/info"),
    ]
    statuses = [503, 404, 405, 307, 404, 200, 304, 415, 401, 401, 429]
    assert [answer.status_code for answer in answers] == statuses
    for answer in answers:
        assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-ID"])
        assert answer.headers.get_list("X-Content-Type-Options") == ["nosniff"]
        assert answer.headers.get_list("X-Frame-Options") == ["DENY"]
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answers[-1].headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Cross-Origin-Resource-Policy" not in answers[0].headers  # other sites may show an open gallery's pictures


@pytest.mark.parametrize("path", ["/static/../settings.py", "/static/%2e%2e/settings.py", "/static/", "/static/none"])
def test_static_serves_its_folder_only(client, path):
    assert client.get(path).status_code == 404


def test_readiness_tells_the_truth(empty_store, gallery, predictor, serve, wait_until, problem):
    from index.gallery import GalleryRoot
    from index.rebuild import rebuild

    client = serve()
    assert client.get("/livez").json() == {"status": "alive"}
    not_ready = client.get("/readyz")
    assert "no index" in problem(not_ready, 503, "not_ready")["detail"]
    assert int(not_ready.headers["Retry-After"]) > 0
    assert client.get("/info").json()["index"] is None
    assert client.post("/classify", content=PNG).status_code == 200
    problem(client.post("/search", content=PNG), 503, "not_ready")
    manifest = rebuild(empty_store, predictor, root=GalleryRoot(path=gallery)).manifest
    wait_until(lambda: client.get("/readyz").status_code == 200)
    assert client.get("/readyz").json()["index_version"] == manifest.version


def test_info(client, store, predictor):
    info = client.get("/info").json()
    manifest = store.manifest()
    assert info["model"]["model_id"] == predictor.model_id
    assert [one["name"] for one in info["model"]["taxonomy"]["emotions"]] == list(predictor.taxonomy.names)
    assert info["model"]["embedding_dim"] == 8
    assert info["model"]["terms"] == "For tests only."
    assert info["index"]["version"] == manifest.version
    assert info["index"]["count"] == manifest.count
    assert info["limits"] == {
        "max_upload_bytes": 20 * 2**20,
        "max_pixels": 60_000_000,
        "max_k": 100,
        "max_batch_pictures": 16,
        "max_batch_bytes": 64 * 2**20,
    }
    assert info["admin_enabled"] is True
    assert "a token for tests" not in client.get("/info").text


def test_metrics_count_by_route_template(client):
    client.post("/classify", content=PNG)
    client.get("/images/" + "0" * 32)
    client.get("/some/path")
    client.request("BREW", "/classify")
    text = client.get("/metrics").text
    assert 'feelalike_http_requests_total{method="POST",route="/classify",status="200"} 1.0' in text
    assert 'feelalike_http_requests_total{method="GET",route="/images/{id}",status="404"} 1.0' in text
    assert 'feelalike_http_requests_total{method="GET",route="unmatched",status="404"} 1.0' in text
    assert 'method="other"' in text
    assert 'feelalike_refusals_total{code="unknown_image"} 1.0' in text
    assert "feelalike_queue_depth 0.0" in text
    assert re.search(r'feelalike_index_info\{model_id="[0-9a-f]+",version="[0-9TZ.]+"\} 1.0', text)
    for stage in ("receive", "decode", "wait", "model"):
        assert f'feelalike_stage_seconds_count{{stage="{stage}"}}' in text


def test_two_apps_share_nothing(store, settings, predictor):
    apps = [create_app(settings(), predictor=predictor) for _ in range(2)]
    with TestClient(apps[0]) as one, TestClient(apps[1]) as other:
        one.post("/classify", content=PNG)
        assert 'route="/classify"' not in other.get("/metrics").text


MODELS = {
    ("post", "/classify"): schemas.Classification,
    ("post", "/search"): schemas.SearchAnswer,
    ("get", "/search"): live_schemas.MoodAnswer,
    ("post", "/embed"): live_schemas.EmbedAnswer,
    ("post", "/classify/batch"): live_schemas.ClassifyBatchAnswer,
    ("post", "/search/batch"): live_schemas.SearchBatchAnswer,
    ("post", "/images"): live_schemas.AddAnswer,
    ("get", "/images"): live_schemas.GalleryPage,
    ("get", "/images/details"): live_schemas.DetailsAnswer,
    ("get", "/images/{id}/neighbours"): schemas.NeighboursAnswer,
    ("get", "/map"): MapAnswer,
    ("post", "/admin/index/rebuild"): schemas.JobAnswer,
    ("post", "/admin/index/compact"): schemas.JobAnswer,
    ("post", "/admin/index/rollback"): schemas.RollbackAnswer,
    ("get", "/admin/jobs"): schemas.JobsAnswer,
    ("get", "/admin/jobs/{id}"): schemas.JobAnswer,
    ("delete", "/admin/jobs/{id}"): schemas.JobAnswer,
    ("get", "/livez"): schemas.Live,
    ("get", "/readyz"): schemas.Ready,
    ("get", "/info"): schemas.Info,
}


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield (method, path), operation


def example_of(operation):
    success = next(response for status, response in operation["responses"].items() if status < "300")
    return success.get("content", {}).get("application/json", {}).get("example")


def test_every_route_has_an_example_that_fits_its_model(client):
    document = client.get("/openapi.json").json()
    examples = {key: example_of(operation) for key, operation in operations(document)}
    assert {key for key, example in examples.items() if example is not None} == set(MODELS)
    for key, model in MODELS.items():
        assert TypeAdapter(model).validate_python(examples[key]).model_dump(mode="json") == examples[key]


def shape(value):
    """The keys and kinds of a JSON value; numbers are one kind."""
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items() if key not in ("metadata", "metrics")}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def test_examples_have_the_shape_of_real_answers(client):
    document = client.get("/openapi.json").json()
    examples = {key: example_of(operation) for key, operation in operations(document)}
    searched = client.post("/search", content=PNG).json()
    real = {
        ("post", "/classify"): client.post("/classify", content=PNG).json(),
        ("post", "/search"): searched,
        ("get", "/images/{id}/neighbours"): client.get(searched["results"][0]["url"] + "/neighbours").json(),
        ("get", "/search"): client.get("/search", params={"mood": searched["results"][0]["emotion"]}).json(),
        ("post", "/embed"): client.post("/embed", content=PNG).json(),
        ("get", "/images"): client.get("/images", params={"limit": 2}).json(),
        ("get", "/images/details"): client.get(f"/images/details?id={searched['results'][0]['id']}").json(),
        ("get", "/map"): client.get("/map").json(),
        ("get", "/livez"): client.get("/livez").json(),
        ("get", "/readyz"): client.get("/readyz").json(),
        ("get", "/info"): client.get("/info").json(),
    }
    for key, answer in real.items():
        assert shape(answer) == shape(examples[key]), key


def test_openapi_tells_refusals_limits_and_both_kinds_of_body(client):
    document = client.get("/openapi.json").json()
    assert "HTTPValidationError" not in str(document)
    for route in ("/classify", "/search"):
        operation = document["paths"][route]["post"]
        bodies = operation["requestBody"]["content"]
        assert {"multipart/form-data", "image/jpeg", "image/png", "image/webp"} <= set(bodies)
        for status in ("400", "413", "415", "422", "503"):
            assert "application/problem+json" in operation["responses"][status]["content"]
    (k,) = (one for one in document["paths"]["/search"]["post"]["parameters"] if one["name"] == "k")
    assert (k["schema"]["minimum"], k["schema"]["maximum"], k["schema"]["default"]) == (1, 100, 10)
    assert "422" not in document["paths"]["/admin/jobs/{id}"]["get"]["responses"]
