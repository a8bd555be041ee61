"""Two services on one store: what one does, the other answers from within a second."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from fakes import encoded
from index.additions import NewPicture
from index.compact import compact

ROOT = Path(__file__).parents[2]
NEW, NEW_ID = encoded(50), NewPicture(encoded(50)).id
SOON_S = 2.0
"""Twenty looks at the store; a second would do, but a busy machine is slow."""

SERVE = """
import json, sys
sys.path[:0] = [{root!r}, {tests!r}]
from emotion.bundle import load_bundle
from emotion.predictor import Predictor
from fakes import FakeRuntime
from service.__main__ import bind, listen
from service.app import create_app
from service.logs import configure_logging
from service.settings import read_settings
settings = read_settings(dict(bundle={bundle!r}, store={store!r}, device="cpu"))
predictor = Predictor(load_bundle(settings.bundle), FakeRuntime())
configure_logging("info")
with bind("127.0.0.1", 0) as listener:
    listen(create_app(settings, predictor=predictor, rebuild_command=json.loads(sys.argv[1])), settings, listener)
"""


@pytest.fixture
def services(predictor, store, rebuild_command, auth):
    """Clients of two processes."""
    places = {"bundle": str(predictor.bundle.path), "store": str(store.root)}
    script = SERVE.format(root=str(ROOT), tests=str(ROOT / "tests"), **places)
    token = auth["Authorization"].removeprefix("Bearer ")
    environment = os.environ | {"FEELALIKE_ADMIN_TOKEN": token, "FEELALIKE_POLL_INTERVAL_S": "0.1"}
    command = [sys.executable, "-c", script, json.dumps(rebuild_command)]
    processes = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    clients = []
    try:
        for process in processes:
            ready = next(filter(None, (re.search(r"ready on (\S+)", line) for line in process.stderr)))
            clients.append(httpx2.Client(base_url=ready[1], headers=auth, timeout=60))
        yield clients
    finally:
        for client in clients:
            client.close()
        for process in processes:
            process.kill()
            process.wait()
            process.stderr.close()


def found(service) -> set[str]:
    return {result["id"] for result in service.post("/search?k=100", content=NEW).json()["results"]}


def version(service) -> str:
    return service.get("/readyz").json()["index_version"]


def test_each_sees_what_the_other_does(services, store, wait_until):
    one, other = services
    first = version(one)
    assert len(found(other)) == 12

    assert one.post("/images", files={"file": ("x.png", NEW)}).status_code == 201
    assert NEW_ID in found(one)
    wait_until(lambda: NEW_ID in found(other), SOON_S)

    assert other.delete(f"/images/{NEW_ID}").status_code == 204
    assert NEW_ID not in found(one), "at once: the catalog says so"
    assert other.post("/images", files={"file": ("x.png", NEW)}).status_code == 201
    wait_until(lambda: NEW_ID in found(one), SOON_S)

    job = one.post("/admin/index/rebuild").headers["Location"]
    wait_until(lambda: one.get(job).json()["state"] == "succeeded")
    second = version(one)
    assert second != first
    wait_until(lambda: version(other) == second, SOON_S)
    assert one.get("/info").json()["index"]["added"] == other.get("/info").json()["index"]["added"] == 0

    assert other.post("/admin/index/rollback").json()["index_version"] == version(other) == first
    wait_until(lambda: version(one) == first, SOON_S)
    third = compact(store).manifest.version
    wait_until(lambda: version(one) == version(other) == third, SOON_S)
    assert found(one) == found(other)
    assert len(found(one)) == 13
