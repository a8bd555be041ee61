import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.processes import free_port, serving
from conftest import ROOT
from emotion.errors import FeelalikeError

SERVER = """
import subprocess, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
Path(sys.argv[2]).write_text(str(worker.pid))
HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
"""Leaves its worker behind when it is told to end."""

INTERRUPTED = """
import os, signal
from benchmarks.processes import end_in_order
end_in_order()
try:
    os.kill(os.getpid(), signal.{first})
finally:
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGTERM)
    print("in order")
"""


def _is_running(pid: int) -> bool:
    """A zombie that nobody has waited for is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_workers_end_with_their_server(tmp_path) -> None:
    port, worker = free_port(), tmp_path / "worker"
    with serving([sys.executable, "-c", SERVER, str(port), worker], port, tmp_path / "log") as server:
        pid = int(worker.read_text())
        assert _is_running(pid)
        assert os.getsid(pid) != os.getsid(server.process.pid)
        assert server.start_s > 0
    assert server.process.returncode == -signal.SIGTERM
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    end = time.monotonic() + 10
    while _is_running(pid):
        assert time.monotonic() < end


def test_a_server_that_ends_is_an_error_with_its_last_words(tmp_path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such model')"]
    with pytest.raises(FeelalikeError, match="no such model"), serving(command, free_port(), tmp_path / "log"):
        pass


@pytest.mark.parametrize("first", ["SIGINT", "SIGTERM"])
def test_an_interrupted_program_still_cleans_up_once(first: str) -> None:
    command = [sys.executable, "-c", INTERRUPTED.format(first=first)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.stdout == "in order\n"
    assert done.returncode != 0
    assert "KeyboardInterrupt" in done.stderr
