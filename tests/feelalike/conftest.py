"""The client against the real app, in this process; only the network between them is missing."""

import sys
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from fakes import tiny_predictor, write_gallery
from feelalike import Client
from index.gallery import GalleryRoot
from index.rebuild import rebuild
from index.store import SnapshotStore
from service.app import create_app
from service.settings import ServiceSettings

TOKEN = "a token for tests"
N_PICTURES = 9

# What `index build --json-progress` says, without the second that starting it takes.
REBUILD_LINES = """
import json
for done in range(3):
    print(json.dumps({"state": "running", "stage": "embed", "done": done, "total": 2}), flush=True)
"""
SUCCEEDED = 'print(json.dumps({"state": "succeeded", "version": "v", "counts": {"embedded": 2}}), flush=True)'


@pytest.fixture
def predictor(tmp_path):
    return tiny_predictor(tmp_path)


@pytest.fixture
def store(tmp_path, predictor) -> SnapshotStore:
    write_gallery(tmp_path / "gallery", N_PICTURES)
    store = SnapshotStore(tmp_path / "store")
    rebuild(store, predictor, root=GalleryRoot(path=tmp_path / "gallery"))
    return store


@pytest.fixture
def make_app(store, predictor, monkeypatch):
    """Makes the app with further settings; `script` is the end of a rebuild."""
    monkeypatch.delenv("FEELALIKE_ADMIN_TOKEN", raising=False)

    def make(*, script: str = SUCCEEDED, **changes):
        settings = {"bundle": predictor.bundle.path, "store": store.root, "device": "cpu", "admin_token": TOKEN}
        command = [sys.executable, "-S", "-c", REBUILD_LINES + script]
        return create_app(ServiceSettings(**settings | changes), predictor=predictor, rebuild_command=command)

    return make


@pytest.fixture
def connect(make_app) -> Iterator:
    """Starts the app with further settings and gives a client of it; ends both after the test."""
    running: list[TestClient] = []

    def start(*, options=None, **changes) -> Client:
        http = TestClient(make_app(**changes))
        http.__enter__()
        running.append(http)
        return Client("http://testserver", transport=http._transport, **{"admin_token": TOKEN} | (options or {}))

    yield start
    for http in running:
        http.__exit__(None, None, None)


@pytest.fixture
def client(connect) -> Client:
    return connect()
