import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from emotion.predictor import Predictor
from fakes import tiny_predictor, write_gallery
from index.gallery import GalleryRoot
from index.rebuild import rebuild
from index.store import SnapshotStore
from service.app import create_app
from service.settings import ServiceSettings

TOKEN = "a token for tests"
N_PICTURES = 12

# The real command line of `index`, with the fake runtime in place of OpenVINO.
REBUILD_SCRIPT = """
import sys
from pathlib import Path
sys.path[:0] = [{root!r}, {tests!r}]
from fakes import FakeRuntime
from emotion.bundle import load_bundle
from emotion.predictor import Predictor
from index.__main__ import app
arguments = ["build", "--bundle", {bundle!r}, "--store", {store!r}, "--json-progress"]
app(arguments, obj=lambda bundle, device: Predictor(load_bundle(bundle), FakeRuntime()))
"""


@pytest.fixture
def predictor(tmp_path) -> Predictor:
    return tiny_predictor(tmp_path)


@pytest.fixture
def gallery(tmp_path) -> Path:
    write_gallery(tmp_path / "gallery", N_PICTURES)
    return tmp_path / "gallery"


@pytest.fixture
def empty_store(tmp_path) -> SnapshotStore:
    return SnapshotStore(tmp_path / "store")


@pytest.fixture
def store(empty_store, predictor, gallery) -> SnapshotStore:
    """A store with one published snapshot."""
    rebuild(empty_store, predictor, root=GalleryRoot(path=gallery))
    return empty_store


@pytest.fixture
def settings(tmp_path, predictor, monkeypatch) -> Callable[..., ServiceSettings]:
    """Settings over the test's bundle and store; the environment's own FEELALIKE_* variables do not count."""
    monkeypatch.delenv("FEELALIKE_ADMIN_TOKEN", raising=False)

    def make(**changes: Any) -> ServiceSettings:
        given = {"bundle": predictor.bundle.path, "store": tmp_path / "store", "device": "cpu", "admin_token": TOKEN}
        return ServiceSettings(**(given | {"poll_interval_s": 0.02} | changes))

    return make


@pytest.fixture
def serve(settings, predictor) -> Iterator[Callable[..., TestClient]]:
    """Starts an app over the store as it is; ends it after the test."""
    clients = []

    def start(*, predictor: Any = predictor, rebuild_command: list[str] | None = None, **changes: Any) -> TestClient:
        app = create_app(settings(**changes), predictor=predictor, rebuild_command=rebuild_command)
        client = TestClient(app)
        client.__enter__()
        clients.append(client)
        return client

    yield start
    for client in clients:
        client.__exit__(None, None, None)


@pytest.fixture
def client(store, serve) -> TestClient:
    return serve()


@pytest.fixture
def rebuild_command(predictor, store) -> list[str]:
    root = Path(__file__).parents[2]
    facts = {"root": str(root), "tests": str(root / "tests")}
    places = {"bundle": str(predictor.bundle.path), "store": str(store.root)}
    return [sys.executable, "-c", REBUILD_SCRIPT.format(**facts, **places)]


@pytest.fixture
def problem() -> Callable[..., dict[str, Any]]:
    """Checks that a response is a problem of our form, and gives its content."""

    def check(response: Any, status: int, code: str) -> dict[str, Any]:
        assert response.status_code == status, response.text
        assert response.headers["Content-Type"] == "application/problem+json"
        content: dict[str, Any] = response.json()
        assert content["status"] == status
        assert content["code"] == code
        assert content["type"] == f"urn:feelalike:problem:{code}"
        assert content["title"]
        assert content["detail"]
        assert content["request_id"] == response.headers["X-Request-ID"]
        return content

    return check


@pytest.fixture
def auth() -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def python() -> Callable[[str], list[str]]:
    """A command that runs a script."""
    return lambda script: [sys.executable, "-c", textwrap.dedent(script)]


@pytest.fixture
def wait_until() -> Callable[..., Any]:
    """Polls; the limit is generous because a busy machine is slow."""

    def poll(condition: Callable[[], Any], timeout_s: float = 60.0) -> Any:
        end = time.monotonic() + timeout_s
        while not (value := condition()):
            assert time.monotonic() < end, "timed out"
            time.sleep(0.02)
        return value

    return poll
