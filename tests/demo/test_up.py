"""`demo up`: what it settles before the long work, what it says, how it stops."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import fakes
from demo.up import PAINTED_GALLERY, PAINTED_STORE, Plan, greeting, settle, shipped_bundle, store_of
from emotion.errors import AddressError, BundleError, DataError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_a_port_in_use_is_an_error(taken_port: int, tmp_path: Path) -> None:
    with pytest.raises(AddressError, match=f"{taken_port}.*in use.*--port"):
        settle(None, "127.0.0.1", taken_port, tmp_path, None)


def test_a_gallery_without_pictures_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no pictures"):
        settle(tmp_path, "127.0.0.1", free_port(), None, None)


def test_a_gallery_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neither a folder"):
        settle(tmp_path / "nothing", "127.0.0.1", free_port(), None, None)


def test_the_only_bundle_is_taken_and_none_or_several_are_errors(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="--bundle"):
        shipped_bundle(tmp_path)
    fakes.tiny_bundle(tmp_path / "one")
    assert shipped_bundle(tmp_path) == tmp_path / "one"
    fakes.tiny_bundle(tmp_path / "two")
    with pytest.raises(BundleError, match="several"):
        shipped_bundle(tmp_path)


def test_every_gallery_has_a_store_of_its_own(tmp_path: Path) -> None:
    bundle = fakes.tiny_bundle(tmp_path / "bundle").path
    fakes.write_gallery(tmp_path / "mine", 1)
    mine = settle(tmp_path / "mine", "127.0.0.1", free_port(), bundle, None)
    painted = settle(None, "127.0.0.1", free_port(), bundle, None)
    assert (painted.gallery, painted.store, painted.painted) == (PAINTED_GALLERY, PAINTED_STORE, True)
    assert not mine.painted
    assert len({mine.store, painted.store, store_of(tmp_path / "other")}) == 3
    assert store_of(tmp_path / "mine" / ".." / "mine") == mine.store
    assert settle(None, "127.0.0.1", free_port(), bundle, tmp_path / "s").store == tmp_path / "s"


def test_the_greeting_has_a_curl_to_paste(tmp_path: Path) -> None:
    pictures = fakes.write_gallery(tmp_path / "my pictures", 1)
    text = greeting(Plan(tmp_path / "my pictures", False, tmp_path, tmp_path, "0.0.0.0", 8123), "secret")  # noqa: S104
    assert f"curl -F 'file=@{pictures[0]}' 'http://127.0.0.1:8123/search?k=3'" in text
    assert "Admin token: secret" in text
    assert "Ctrl-C" in text


def run_demo(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "demo", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=_environment(), capture_output=True, text=True, check=False)


def _environment(*first: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (*first, ROOT)))}


def test_the_command_line_says_errors_in_one_line(tmp_path: Path, taken_port: int) -> None:
    (tmp_path / "empty").mkdir()
    for arguments in (["--port", str(taken_port)], ["--port", str(free_port()), "--gallery", "empty"]):
        result = run_demo("up", *arguments, cwd=tmp_path)
        assert result.returncode == 1
        assert result.stderr.startswith("error: ")
        assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / ".demo").exists(), "nothing was painted first"


INDEX = "import sys; print('INDEX', *sys.argv[1:], flush=True)\n"
SERVICE = """
import os, signal, sys, time
print('SERVICE', *sys.argv[1:], len(os.environ['FEELALIKE_ADMIN_TOKEN']) > 20, flush=True)
try:
    time.sleep(60)
except KeyboardInterrupt:
    print('STOPPED', flush=True)
"""


def test_up_indexes_then_serves_until_ctrl_c(tmp_path: Path) -> None:
    for module, source in (("index", INDEX), ("service", SERVICE)):
        (tmp_path / "stubs" / module).mkdir(parents=True)
        (tmp_path / "stubs" / module / "__main__.py").write_text(source)
        (tmp_path / "stubs" / module / "__init__.py").touch()
    fakes.tiny_bundle(tmp_path / "models" / "tiny")
    fakes.write_gallery(tmp_path / "mine", 2)
    port = free_port()
    command = [sys.executable, "-m", "demo", "up", "--gallery", "mine", "--port", str(port)]
    log = tmp_path / "log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env={k: v for k, v in _environment(tmp_path / "stubs").items() if k != "FEELALIKE_ADMIN_TOKEN"},
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + 30
    while "SERVICE" not in log.read_text() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=20) in (0, 130), log.read_text()
    text = log.read_text()
    store = os.path.relpath(store_of(tmp_path / "mine"), ".")
    assert f"INDEX build --bundle models/tiny --store {store} --gallery mine" in text
    assert f"SERVICE --bundle models/tiny --store {store} --host 127.0.0.1 --port {port} True" in text
    assert f"'http://127.0.0.1:{port}/search?k=3'" in text
    assert "STOPPED" in text
    assert "Traceback" not in text
