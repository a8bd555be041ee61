"""`python -m service`: its one-line errors, and a real process from start to SIGTERM."""

import random
import re
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner

from emotion.collection import read_collection
from emotion.errors import (
    AddressError,
    BundleError,
    DeviceLostError,
    RuntimeUnavailableError,
    SnapshotMismatchError,
    StoreMissingError,
)
from emotion.runtime import Precision
from fakes import encoded, tiny_predictor
from index.additions import NewPicture
from index.compact import compact
from index.rebuild import rebuild
from service.__main__ import SPARE_FILES, allow_files, app, bind, listen
from service.app import create_app
from service_process import ROOT, SERVE_WITH_FAKES, TIMEOUT_S, address_of, launch, stop

FREE = ["--port", "0"]


def never(settings):
    raise AssertionError("the model was loaded")


@pytest.fixture
def start(monkeypatch):
    """Runs the command line in this process up to its error."""
    monkeypatch.delenv("FEELALIKE_ADMIN_TOKEN", raising=False)

    def run(*arguments, open_model=never):
        result = CliRunner().invoke(app, [*map(str, arguments)], obj=open_model)
        assert result.exception is not None
        raise result.exception

    return run


@pytest.fixture(autouse=True)
def quiet_logging():
    """The command line sets up logging; put it back."""
    import logging

    names = ("feelalike", "uvicorn", "asyncio")
    before = [(logging.getLogger(name).handlers, logging.getLogger(name).propagate) for name in names]
    levels = [logging.getLogger(name).level for name in names]
    yield
    for name, (handlers, propagate), level in zip(names, before, levels, strict=True):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def test_a_port_in_use_is_told_before_the_model_loads(start, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(AddressError, match=rf"127.0.0.1:{port}: .*in use; choose another with --port"):
            start("--bundle", tmp_path / "none", "--store", tmp_path, "--port", port)


def test_a_host_that_is_not_ours(start, tmp_path):
    with pytest.raises(AddressError, match=r"cannot listen on 192\.0\.2\.1"):
        start("--bundle", tmp_path, "--store", tmp_path, "--host", "192.0.2.1", *FREE)


def test_a_missing_bundle(start, tmp_path):
    with pytest.raises(BundleError, match="no bundle at"):
        start("--bundle", tmp_path / "none", "--store", tmp_path, *FREE)


def test_a_damaged_bundle(start, predictor, tmp_path):
    (predictor.bundle.path / "model.onnx").write_bytes(b"damaged")
    with pytest.raises(BundleError, match=r"model\.onnx differs"):
        start("--bundle", predictor.bundle.path, "--store", tmp_path, *FREE)


def test_a_store_without_index_names_the_command(start, predictor, tmp_path):
    bundle, store = predictor.bundle.path, tmp_path / "store"
    command = f"python -m index build --bundle {bundle} --store {store} --gallery"
    with pytest.raises(StoreMissingError, match=re.escape(command)):
        start("--bundle", bundle, "--store", store, *FREE, open_model=lambda settings: predictor)


def test_an_index_of_another_model_names_both_and_the_command(start, predictor, store, tmp_path):
    other = tiny_predictor(tmp_path, "other")
    bundle = other.bundle.path
    with pytest.raises(SnapshotMismatchError) as caught:
        start("--bundle", bundle, "--store", store.root, *FREE, open_model=lambda settings: other)
    message = str(caught.value)
    assert predictor.model_id in message
    assert other.model_id in message
    assert message.endswith(f"python -m index build --bundle {bundle} --store {store.root}")


def test_an_index_of_another_precision_names_the_flag(start, predictor, store):
    bundle = predictor.bundle.path
    predictor.runtime.precision = Precision.BF16
    options = ("--bundle", bundle, "--store", store.root, "--precision", "bf16")
    with pytest.raises(SnapshotMismatchError) as caught:
        start(*options, *FREE, open_model=lambda settings: predictor)
    message = str(caught.value)
    assert "made with precision fp32, not bf16; serve it with --precision fp32, or" in message
    assert message.endswith(f"--bundle {bundle} --store {store.root} --precision bf16")


def test_a_gpu_that_is_not_there(start, predictor, store):
    if pytest.importorskip("torch").cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(RuntimeUnavailableError, match="cuda"):
        start("--bundle", predictor.bundle.path, "--store", store.root, "--device", "cuda", *FREE, open_model=None)


def test_a_service_that_lost_its_gpu_says_so_and_ends(settings, store, predictor, monkeypatch):
    monkeypatch.setattr("service.__main__.LOST_GRACE_S", 1.0)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    said = []

    def lose(listener: socket.socket) -> None:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/readyz"
        # The port is bound before anybody listens on it.
        with httpx2.Client(transport=httpx2.HTTPTransport(retries=10)) as http:
            http.get(url).raise_for_status()
            predictor.runtime.failure = "the GPU is gone"
            said.append(http.get(url).json()["code"])

    with bind("127.0.0.1", 0) as listener, ThreadPoolExecutor() as pool:
        losing = pool.submit(lose, listener)
        try:
            with pytest.raises(DeviceLostError, match="the GPU is gone"):
                listen(create_app(settings(), predictor=predictor), settings(), listener)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        losing.result()
    assert said == ["device_lost"]


def test_enough_files_may_be_open_for_all_connections(caplog):
    resource = pytest.importorskip("resource")
    _, hard = before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (SPARE_FILES, hard))
        allow_files(100)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (SPARE_FILES + 100, hard)
        allow_files(10)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (SPARE_FILES + 100, hard)
        assert not caplog.messages
        if hard != resource.RLIM_INFINITY:
            allow_files(hard)
            assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
            assert "ulimit -n" in caplog.text
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_help_has_examples():
    assert "python -m service --bundle" in CliRunner().invoke(app, ["--help"]).output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_answers_and_ends_in_order(predictor, store, number):
    script = SERVE_WITH_FAKES.format(root=str(ROOT), tests=str(ROOT / "tests"))
    arguments = ["--bundle", str(predictor.bundle.path), "--store", str(store.root), *FREE]
    process = launch([sys.executable, "-c", script, *arguments], FEELALIKE_ADMIN_TOKEN="tok-secret")
    try:
        url = address_of(process)
        with httpx2.Client(base_url=url, timeout=TIMEOUT_S) as http:
            assert http.get("/readyz").status_code == 200
            found = http.post("/search?k=1", files={"file": ("x.png", encoded(3))}).json()
            assert found["results"][0]["distance"] == 0
            too_large = http.post("/classify", content=b"x" * (21 * 2**20))
            assert (too_large.status_code, too_large.json()["code"]) == (413, "picture_too_large")
            http.post("/admin/index/rollback", headers={"Authorization": "Bearer tok-secret"})
        code, log = stop(process, number)
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    assert code == 0, log
    assert "stopping" in log
    assert "Traceback" not in log
    assert "tok-secret" not in log
    assert re.search(r"\[[0-9a-f]{32}\] POST /search 200 \d+ ms", log)


class Writer(threading.Thread):
    """Adds and deletes its own pictures through a service until that dies, and notes what was answered."""

    def __init__(self, url: str, seeds: range, there: set[int], rng: random.Random) -> None:
        super().__init__()
        self.there = {seed for seed in seeds if seed in there}
        self.unanswered: int | None = None
        self.n_answers = 0
        self._url, self._seeds, self._rng = url, seeds, rng

    def run(self) -> None:
        headers = {"Authorization": "Bearer tok-secret"}
        with httpx2.Client(base_url=self._url, timeout=TIMEOUT_S, headers=headers) as http:
            while True:
                seed = self.unanswered = self._rng.choice(self._seeds)
                try:
                    if seed in self.there:
                        http.delete(f"/images/{NewPicture(encoded(seed)).id}").raise_for_status()
                        self.there.remove(seed)
                    else:
                        http.post("/images", files={"file": encoded(seed)}).raise_for_status()
                        self.there.add(seed)
                except httpx2.TransportError:
                    return
                self.unanswered = None
                self.n_answers += 1


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_a_killed_service_answered_holds(predictor, store, wait_until):
    """One service is killed again and again; it finds what it had answered, and so does another on the same store."""
    script = SERVE_WITH_FAKES.format(root=str(ROOT), tests=str(ROOT / "tests"))
    arguments = ["--bundle", str(predictor.bundle.path), "--store", str(store.root), *FREE]
    command = [sys.executable, "-c", script, *arguments]
    seeds = {NewPicture(encoded(seed)).id: seed for seed in range(130)}

    def shown(url: str) -> set[int]:
        results = httpx2.post(f"{url}/search?k=100", content=encoded(0), timeout=TIMEOUT_S).json()["results"]
        return {seeds[result["id"]] for result in results if seeds[result["id"]] >= 100}

    rng, known, n_answers = random.Random(0), set[int](), 0
    processes = [launch(command, FEELALIKE_ADMIN_TOKEN="tok-secret")]
    try:
        other = address_of(processes[0])
        for _ in range(8):
            processes.append(launch(command, FEELALIKE_ADMIN_TOKEN="tok-secret"))
            url = address_of(processes[-1])
            assert shown(url) == known
            writers = [
                Writer(url, range(first, first + 10), known, random.Random(rng.random())) for first in (100, 110, 120)
            ]
            for writer in writers:
                writer.start()
            time.sleep(rng.uniform(0.2, 1.0))
            processes[-1].kill()
            for writer in writers:
                writer.join()
            n_answers += sum(writer.n_answers for writer in writers)
            certain = set().union(*(writer.there for writer in writers))
            open_ = {writer.unanswered for writer in writers}
            wait_until(lambda certain=certain, open_=open_: shown(other) - open_ == certain - open_, timeout_s=2)
            known = shown(other)
            if rng.random() < 0.5:
                compact(store)
    finally:
        for process in processes:
            process.kill()
            process.wait()
            process.stderr.close()
    assert n_answers > 20


def shipped_bundle() -> Path | None:
    return next((file.parent for file in sorted((ROOT / "models").glob("*/bundle.json"))), None)


@pytest.mark.skipif(shipped_bundle() is None, reason="no bundle in models/")
def test_the_shipped_bundle_serves(gallery, tmp_path):
    from emotion.predictor import Predictor
    from emotion.runtime import Device
    from index.gallery import GalleryRoot
    from index.store import SnapshotStore

    bundle, store = shipped_bundle(), SnapshotStore(tmp_path / "store")
    rebuild(store, Predictor.open(bundle, Device.CPU), root=GalleryRoot(path=gallery))
    command = [sys.executable, "-m", "service", "--bundle", str(bundle), "--store", str(store.root), "--device", "cpu"]
    process = launch([*command, *FREE])
    try:
        with httpx2.Client(base_url=address_of(process), timeout=TIMEOUT_S) as http:
            picture = read_collection(gallery)[0].path.read_bytes()
            found = http.post("/search?k=3", files={"file": ("x.png", picture)}).json()
            assert found["results"][0]["distance"] < 1e-3
        code, log = stop(process, signal.SIGTERM)
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    assert code == 0, log
