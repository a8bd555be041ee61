"""The client beside the OpenAPI document: every route, every parameter, every example."""

import json
import re
import subprocess
import sys
import tomllib

import httpx2
import pytest

from conftest import ROOT
from feelalike import Client
from feelalike.models import Answer
from service.app import create_app
from service.settings import ServiceSettings

LEFT_OUT = {
    ("get", "/metrics"): "for Prometheus, in its own format",
}
"""Routes without a method, and why."""

FILTERS = {
    "emotion": ["awe", "fear"],
    "polarity": "positive",
    "label": "sea",
    "metadata": {"by": "me"},
    "max_distance": 0.5,
    "dedupe": True,
}
WISH = FILTERS | {"mood": "awe", "mood_weight": 0.5}

# Every method, with everything it takes.
ASKED = {
    ("post", "/classify"): lambda client: client.classify(b"x"),
    ("post", "/search"): lambda client: client.search(b"x", k=3, **WISH),
    ("get", "/search"): lambda client: client.search_mood("awe", k=3, **FILTERS),
    ("post", "/embed"): lambda client: client.embed(b"x"),
    ("post", "/classify/batch"): lambda client: list(client.classify_many([b"x", b"y"])),
    ("post", "/search/batch"): lambda client: list(client.search_many([b"x", b"y"], k=3, **WISH)),
    ("post", "/images"): lambda client: client.add(b"x", label="sea", metadata={"by": "me"}, external_id="1"),
    ("get", "/images"): lambda client: (next(client.pictures()), client.find("1")),
    ("delete", "/images/{id}"): lambda client: client.delete("1"),
    ("get", "/images/{id}"): lambda client: client.picture("1"),
    ("get", "/images/{id}/thumbnail"): lambda client: client.thumbnail("1"),
    ("get", "/images/{id}/neighbours"): lambda client: client.neighbours("1", k=3, **WISH),
    ("get", "/images/details"): lambda client: client.details(["1", "2"]),
    ("get", "/map"): lambda client: client.gallery_map(limit=9, item_ids=["1"]),
    ("post", "/admin/index/rebuild"): lambda client: client.start_rebuild(),
    ("post", "/admin/index/compact"): lambda client: client.start_compact(),
    ("get", "/admin/jobs"): lambda client: client.jobs(),
    ("get", "/admin/jobs/{id}"): lambda client: client.job("1"),
    ("delete", "/admin/jobs/{id}"): lambda client: client.cancel_job("1"),
    ("post", "/admin/index/rollback"): lambda client: client.rollback(),
    ("get", "/livez"): lambda client: client.live(),
    ("get", "/readyz"): lambda client: client.ready(),
    ("get", "/info"): lambda client: client.info(),
}


@pytest.fixture(scope="module")
def document():
    """The OpenAPI document, as a service gives it."""
    return create_app(ServiceSettings(bundle="b", store="s")).openapi()


@pytest.fixture
def asked(document):
    """Calls a method against the document's examples; gives the requests to its route, and the answer."""
    info = _example(document["paths"]["/info"]["get"])

    def ask(route: tuple[str, str]):
        requests = []
        method, path = route
        pattern = re.compile(re.sub(r"\{\w+\}", "[^/]+", path))
        example = _example(document["paths"][path][method])

        def answer(request: httpx2.Request) -> httpx2.Response:
            if request.method.lower() == method and pattern.fullmatch(request.url.path):
                requests.append(request)
                return httpx2.Response(200, json=example)
            assert request.url.path == "/info", f"{request.method} {request.url.path} is not {route}"
            return httpx2.Response(200, json=info)

        client = Client("http://service", admin_token="t", transport=httpx2.MockTransport(answer))
        return requests, ASKED[route](client)

    return ask


def _example(operation):
    success = next(response for status, response in operation["responses"].items() if status.startswith("2"))
    return success.get("content", {}).get("application/json", {}).get("example")


def test_every_route_has_a_method_or_a_reason(document):
    routes = {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert routes <= ASKED.keys() | LEFT_OUT.keys(), "a new route needs a method of both clients, or a reason here"


@pytest.mark.parametrize("route", ASKED, ids=" ".join)
def test_a_method_asks_its_route_for_everything_it_can(document, asked, route):
    if route[1] not in document["paths"]:
        return  # of another version of the service
    requests, _ = asked(route)
    operation = document["paths"][route[1]][route[0]]
    known = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"}
    assert {name for request in requests for name in request.url.params} >= known
    form = operation.get("requestBody", {}).get("content", {}).get("multipart/form-data", {}).get("schema", {})
    if requests[0].headers.get("Content-Type", "").startswith("multipart"):
        parts = set(re.findall(rb' name="(\w+)"', requests[0].content))
        assert parts == {name.encode() for name in form["properties"]}
    needs_admin = bool(operation.get("security"))
    assert ("Authorization" in requests[0].headers) >= needs_admin


@pytest.mark.parametrize("route", ASKED, ids=" ".join)
def test_the_models_hold_all_that_an_example_tells(document, asked, route):
    operation = document["paths"].get(route[1], {}).get(route[0])
    example = _example(operation) if operation else None
    if example is None:
        return
    requests, _ = asked(route)
    assert requests
    (kind,) = [kind for kind in _models() if _reads_as(kind, example)]
    newer = example | {"of_a_newer_service": {"x": 1}}
    assert kind.model_validate_json(json.dumps(newer)) == kind.model_validate_json(json.dumps(example))


def _models():
    import feelalike.calls as module

    return [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, Answer)]


def _reads_as(kind, example):
    """Whether a model reads an example and says it again whole."""
    try:
        return json.loads(kind.model_validate_json(json.dumps(example)).model_dump_json(exclude_unset=True)) == example
    except ValueError:
        return False


ALONE = """
import sys
for name in {blocked!r}:
    sys.modules[name] = None
import feelalike
feelalike.Client("http://127.0.0.1:9").close()
loaded = {{name.partition(".")[0] for name, module in sys.modules.items() if module}}
assert not loaded & {{"emotion", "index", "service", "training", "PIL"}}, loaded
"""


def test_the_client_needs_nothing_of_the_service():
    blocked = ["numpy", "PIL", "fastapi", "starlette", "uvicorn", "typer", "jaxtyping", "faiss", "openvino"]
    script = ALONE.format(blocked=blocked)
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_client_alone_is_installed_with_what_the_extra_brings():
    alone = tomllib.loads((ROOT / "feelalike" / "pyproject.toml").read_text())["project"]
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pydantic = [one for one in whole["dependencies"] if one.startswith("pydantic>")]
    assert alone["dependencies"] == whole["optional-dependencies"]["client"] + pydantic
    assert (alone["version"], alone["requires-python"]) == (whole["version"], whole["requires-python"])
