"""Each target of the Dockerfile: its steps executed in a clean environment, its entry point run without any rights.

FEELALIKE_TEST_IMAGES says which, `cpu` by default; `cpu,gpu,train` needs 20 GB of disk and downloads 2 GB.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT
from fakes import encoded

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
WANTED = os.environ.get("FEELALIKE_TEST_IMAGES", "cpu").split(",")
SIDE_BY_SIDE = Path(__file__).parent / "side_by_side.py"
NO_GPU = "device cuda was asked for, but torch sees no NVIDIA GPU"
READY_S = 120
N_PAINTED = 24


def need(target: str) -> None:
    """Skip, by name, what was not asked for or cannot be judged here."""
    if target not in WANTED:
        pytest.skip(f"the {target} image: name it in FEELALIKE_TEST_IMAGES")
    if target != "cpu" and shutil.which("nvidia-smi"):
        pytest.skip(f"the {target} image's failure without a GPU: this machine has one")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def paint(image: Any) -> None:
    """A gallery where the operator would mount one."""
    command = [image.python, "-m", "demo", "paint", "--out", image.root / "gallery", "--count", str(N_PAINTED)]
    subprocess.run(command, check=True, cwd=image.root)


def answer(url: str, body: bytes | None = None) -> Any:
    headers = {"Content-Type": "image/png"} if body else {}
    request = urllib.request.Request(url, data=body, headers=headers)  # noqa: S310 - our own address
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
        return json.load(response)


def wait_until_ready(url: str, process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            answer(f"{url}/readyz")
        except OSError:
            time.sleep(0.2)
        else:
            return
    process.kill()
    pytest.fail(f"not ready after {READY_S} s: {process.stdout.read() if process.stdout else ''}")


def test_cpu_indexes_serves_and_drains(scratch: Any) -> None:
    need("cpu")
    scratch.execute("cpu")
    assert scratch.facts["USER"] == "1000"
    assert scratch.size_mb() < 320  # docs/deployment.md gives the figure
    paint(scratch)
    port = free_port()
    assert not scratch.is_healthy(FEELALIKE_PORT=str(port))
    url = f"http://127.0.0.1:{port}"
    with scratch.start(FEELALIKE_PORT=str(port)) as process:
        wait_until_ready(url, process)
        assert scratch.is_healthy(FEELALIKE_PORT=str(port))
        picture = encoded(1)
        assert answer(f"{url}/classify", picture)["emotion"]
        assert len(answer(f"{url}/search?k=3", picture)["results"]) == 3
        with socket.create_connection(("127.0.0.1", port)) as half_sent:
            headers = f"Host: x\r\nContent-Type: image/png\r\nContent-Length: {len(picture)}\r\n\r\n"
            half_sent.sendall(f"POST /classify HTTP/1.1\r\n{headers}".encode() + picture[:100])
            time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            half_sent.sendall(picture[100:])
            assert half_sent.recv(15) == b"HTTP/1.1 200 OK"
        said, _ = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert f"indexed {N_PAINTED} pictures" in said
    assert not list((scratch.root / "tmp").iterdir())
    code, said = scratch.output(FEELALIKE_DEVICE="cuda")
    assert (code, "needs torch" in said) == (1, True), said


def test_gpu_fails_loudly_without_a_gpu(scratch: Any) -> None:
    need("gpu")
    scratch.execute("gpu")
    paint(scratch)
    code, said = scratch.output()
    assert (code, NO_GPU in said) == (1, True), said
    code, said = scratch.output("service")
    assert (code, NO_GPU in said) == (1, True), said
    code, said = scratch.output(FEELALIKE_DEVICE="cpu")
    assert (code, "needs openvino" in said) == (1, True), said
    for order in (["torch", "faiss"], ["faiss", "torch"]):
        check_side_by_side(scratch, order)


def check_side_by_side(image: Any, order: list[str]) -> None:
    """docs/adr/0005: one process holds both CUDA families, and computes the right numbers."""
    done = subprocess.run([image.python, SIDE_BY_SIDE, *order], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert (facts["wrong"], facts["gpus"], facts["cuda"]) == ([], 0, False)
    names = [Path(path).name for path in facts["libraries"]]
    assert len(names) == len(set(names)), "one library is mapped from two packages"
    assert {"libcudart.so.12", "libcudart.so.13", "libcublas.so.12", "libcublas.so.13"} <= set(names)
    assert "nvidia/curand/lib/libcurand.so.10" in facts["libraries"]


def test_train_fits_and_says_that_compose_s_command_needs_a_gpu(scratch: Any) -> None:
    need("train")
    scratch.execute("train")
    assert scratch.facts["STOPSIGNAL"] == "SIGINT"
    paint(scratch)
    common = ["training", "fit", "--config", "frozen", "--data", "/gallery"]
    code, said = scratch.output(*common, "--out", "/models/none", "--set", "loop.device=cuda")
    assert (code, "loop.device=cuda was asked for, but torch sees no NVIDIA GPU" in said) == (1, True), said
    quick = [word for name in ("loop.epochs=1", "data.validation_fraction=0") for word in ("--set", name)]
    code, said = scratch.output(*common, "--out", "/models/run", "--set", "loop.device=cpu", *quick)
    assert code == 0, said
    assert (scratch.root / "models" / "run" / "bundle" / "bundle.json").is_file()


def test_every_image_has_the_same_model_and_code(stages: Any) -> None:
    for target in ("cpu", "gpu"):
        assert ("COPY", "models models") in stages[target].steps
    assert stages["train"].parent == "gpu"
    assert (ROOT / "models").is_dir()
