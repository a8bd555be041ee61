"""Servers and helpers in processes of their own: starting them, waiting for them, their memory, ending them."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from emotion.errors import FeelalikeError

HOST: Final = "127.0.0.1"
START_TIMEOUT_S: Final = 120.0
_STOP_TIMEOUT_S: Final = 20.0
_POLL_S: Final = 0.005
_SAMPLE_S: Final = 0.1


@dataclass(frozen=True)
class Server:
    """A server that answers."""

    process: subprocess.Popen[bytes]
    port: int
    start_s: float
    """From the start of the process to its first good answer."""

    @property
    def rss_mb(self) -> float:
        """Memory resident now, in MB (10^6 bytes); of the process and its children together."""
        return sum(_rss_bytes(pid) for pid in _family(self.process.pid)) / 1e6


@contextlib.contextmanager
def serving(
    command: Sequence[str | Path],
    port: int,
    log: Path,
    *,
    ready: str = "/readyz",
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Run a server until the end of the block.

    Args:
        command: starts it, on `port`.
        port: free now.
        log: takes its output.
        ready: what answers 200 when it is ready.
        environment: beside our own.

    Raises:
        FeelalikeError: it ended or did not become ready; with the end of its log.
    """
    with log.open("wb") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            [*map(str, command)],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | (environment or {}),
            start_new_session=True,
        )
        try:
            _wait(process, port, ready, log)
            yield Server(process, port, time.perf_counter() - start)
        finally:
            _stop(process)


def end_in_order() -> None:
    """From now on Ctrl-C and SIGTERM end this program once, by way of every `finally`; a second one is ignored."""

    def end(_number: int, _frame: object) -> None:
        for one in (signal.SIGINT, signal.SIGTERM):
            signal.signal(one, signal.SIG_IGN)
        raise KeyboardInterrupt

    for one in (signal.SIGINT, signal.SIGTERM):
        signal.signal(one, end)


@contextlib.contextmanager
def highest_memory(server: Server) -> Iterator[list[float]]:
    """A list whose one value, in MB, grows to the highest resident memory seen inside the block."""
    highest, over = [server.rss_mb], threading.Event()

    def watch() -> None:
        while not over.wait(_SAMPLE_S):
            highest[0] = max(highest[0], server.rss_mb)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield highest
    finally:
        over.set()
        thread.join()


def service_command(bundle: Path, store: Path, port: int) -> list[str | Path]:
    """The service as a user starts it."""
    where: list[str | Path] = ["--bundle", bundle, "--store", store, "--port", str(port), "--device", "cpu"]
    return [sys.executable, "-m", "service", *where]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def run_json(command: Sequence[str | Path]) -> Any:
    """Run a helper and read the JSON that it prints; raises FeelalikeError with what it says when it fails."""
    done = subprocess.run([*map(str, command)], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise FeelalikeError(f"{command[2]} failed: {done.stderr.strip()[-800:]}")
    return json.loads(done.stdout)


def _wait(process: subprocess.Popen[bytes], port: int, path: str, log: Path) -> None:
    end = time.monotonic() + START_TIMEOUT_S
    while not _answers(port, path):
        if process.poll() is not None or time.monotonic() > end:
            state = "ended" if process.poll() is not None else f"was not ready within {START_TIMEOUT_S:.0f} s"
            raise FeelalikeError(f"the server {state}: {log.read_text(errors='replace').strip()[-800:]}")
        time.sleep(_POLL_S)


def _answers(port: int, path: str) -> bool:
    """Whether a GET gives 200; by hand, since a client library would take its time from the server's start."""
    try:
        with socket.create_connection((HOST, port), timeout=5) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
            return connection.recv(64).split(b" ")[1:2] == [b"200"]
    except OSError:
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """All that it started: some servers have workers, in sessions of their own, that outlive them."""
    workers = _handles(_family(process.pid)[1:])
    try:
        process.terminate()
        process.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(worker, signal.SIGKILL)
            os.close(worker)


def _handles(pids: Sequence[int]) -> list[int]:
    """Of processes; unlike its number, a handle never comes to mean another process."""
    handles = []
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            handles.append(os.pidfd_open(pid))
    return handles


def _family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = {int(child) for task in tasks for child in (task / "children").read_text().split()}
    except OSError:
        return [pid]
    return [pid, *(one for child in children for one in _family(child))]


def _rss_bytes(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
