"""Minutes of everything at once: the program of `make soak` for twenty seconds, and fifty rebuilds under load."""

import os
import subprocess
import sys
import time

import httpx2
import pytest

from conftest import ROOT
from emotion.predictor import Predictor
from emotion.runtime import Device
from fakes import write_gallery
from index.gallery import GalleryRoot
from index.rebuild import rebuild
from index.store import SnapshotStore
from soak_service import TOKEN, Service
from soak_truth import Truth
from soak_workers import Reader, Soak

N_REBUILDS = 50
GROWTH_MB = 20
"""Of the heap between the tenth rebuild and the fiftieth, in which caches fill a little."""
GROWTH_FILES = 40
"""Up to eight connections to the catalog are kept open, of three files each; one a rebuild would be more."""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_twenty_seconds_of_everything_at_once(shipped_bundle):
    command = [sys.executable, str(ROOT / "tests/soak.py"), "--minutes", "0.34", "--bundle", str(shipped_bundle)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=290)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "answers checked against brute force" in done.stdout


def rebuilt(http: httpx2.Client) -> None:
    job = http.post("/admin/index/rebuild").raise_for_status().headers["Location"]
    while (state := http.get(job).json()["state"]) in ("queued", "running"):
        time.sleep(0.05)
    assert state == "succeeded"


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_fifty_rebuilds_under_load_leave_nothing_behind(shipped_bundle, tmp_path):
    predictor, store = Predictor.open(shipped_bundle, Device.CPU), SnapshotStore(tmp_path / "store")
    write_gallery(tmp_path / "gallery", 40)
    truth = Truth(predictor, range(40 + N_REBUILDS), 40)
    rebuild(store, predictor, root=GalleryRoot(path=tmp_path / "gallery"))
    service = Service(shipped_bundle, store.root, tmp_path / "service.log")
    service.open(service.start())
    soak = Soak(service, truth, store)
    readers = [Reader(soak, seed) for seed in range(2)]
    for reader in readers:
        reader.start()
    figures = []
    try:
        with httpx2.Client(base_url=service.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=120) as http:
            for seed in range(40, 40 + N_REBUILDS):
                truth.begin(seed)
                http.post("/images", files={"file": ("x.png", truth.pictures[seed].data)}).raise_for_status()
                truth.settle(seed, is_in=True)
                rebuilt(http)
                figures.append((service.anonymous_mb(), service.open_files()))
        soak.stop.set()
        for reader in readers:
            reader.join()
    finally:
        soak.stop.set()
        service.process.kill()
        service.process.wait()
    print(soak.counts, figures[0], figures[9], figures[-1])
    assert soak.failures == []
    assert soak.counts["answers checked against brute force"] > N_REBUILDS
    assert figures[-1][0] - figures[9][0] < GROWTH_MB, figures
    assert max(files for _, files in figures) < figures[0][1] + GROWTH_FILES, figures
    assert len(store.versions()) == 3
