"""The shipped model on real photos: what a user does in the first minutes."""

import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx2
import numpy as np
import pytest

from emotion.predictor import Predictor
from emotion.runtime import Device
from index.gallery import GalleryRoot
from index.rebuild import rebuild
from index.store import SnapshotStore

N_QUERIES = 20
REBUILDS = 5
TOKEN = "a token for tests"


@pytest.fixture
def store(tmp_path: Path, fi_mini: Path, shipped_bundle: Path) -> SnapshotStore:
    store = SnapshotStore(tmp_path / "store")
    rebuild(store, Predictor.open(shipped_bundle, Device.CPU), root=GalleryRoot(path=fi_mini))
    return store


@pytest.fixture
def url(store: SnapshotStore, shipped_bundle: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FEELALIKE_ADMIN_TOKEN", TOKEN)
    command = [sys.executable, "-m", "service", "--bundle", shipped_bundle, "--store", store.root, "--port", "0"]
    with subprocess.Popen([*map(str, command)], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        ready = next(line for line in process.stderr if "ready on" in line)
        drain = threading.Thread(target=process.stderr.read)
        drain.start()
        yield ready.split("ready on ")[1].strip()
        process.terminate()
        assert process.wait(30) == 0
        drain.join()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_three_nearest_photos_equal_brute_force(url: str, store: SnapshotStore, fi_mini: Path, shipped_bundle: Path):
    predictor = Predictor.open(shipped_bundle, Device.CPU)
    snapshot = store.load()
    for photo in sorted(fi_mini.glob("*/*.jpg"))[:: 596 // N_QUERIES]:
        answer = httpx2.post(f"{url}/search?k=3", files={"file": photo.read_bytes()}).json()
        query = predictor.predict([photo]).embeddings[0]
        expected = np.sort(np.linalg.norm(snapshot.vectors - query, axis=1))[:3]
        distances = [result["distance"] for result in answer["results"]]
        assert distances == sorted(distances)
        assert distances == pytest.approx(expected, abs=1e-4)
        for result in answer["results"]:
            original = httpx2.get(url + result["url"])
            assert original.headers["Content-Type"] == "image/jpeg"
            assert original.content[:2] == b"\xff\xd8"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_rebuilds_under_a_steady_load_fail_no_request(url: str, fi_mini: Path):
    photo = next(fi_mini.glob("awe/*.jpg")).read_bytes()
    stop = threading.Event()
    statuses: list[int] = []
    versions: set[str] = set()

    def search() -> None:
        with httpx2.Client(timeout=60) as client:
            while not stop.is_set():
                response = client.post(f"{url}/search?k=3", files={"file": photo})
                statuses.append(response.status_code)
                versions.add(response.json().get("index_version", ""))

    clients = [threading.Thread(target=search) for _ in range(4)]
    for client in clients:
        client.start()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    for _ in range(REBUILDS):
        job = httpx2.post(f"{url}/admin/index/rebuild", headers=headers)
        assert job.status_code == 202
        while (state := httpx2.get(url + job.headers["Location"], headers=headers).json())["state"] in (
            "queued",
            "running",
        ):
            time.sleep(0.2)
        assert state["state"] == "succeeded", json.dumps(state)
    stop.set()
    for client in clients:
        client.join()
    print(f"{len(statuses)} searches during {REBUILDS} rebuilds, {len(versions)} index versions")
    assert set(statuses) == {200}
    assert len(statuses) > 20
    assert len(versions) >= REBUILDS
