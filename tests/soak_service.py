"""A real service in a process of its own, and what the system says of that process."""

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final

import numpy as np

ROOT: Final = Path(__file__).parent.parent
TOKEN: Final = "soak"
TIMEOUT_S: Final = 120


class Service:
    """The process under test, started again after every kill, on a port of its own choice."""

    def __init__(self, bundle: Path, store: Path, log: Path) -> None:
        self._command = [sys.executable, "-m", "service", "--bundle", str(bundle), "--store", str(store)]
        self._log = log
        self.up = threading.Event()
        self.killed_at = 0.0
        self.url = ""
        self.process: subprocess.Popen[bytes]

    def start(self) -> str:
        """Start it, and give its address once it answers."""
        own = {"FEELALIKE_ADMIN_TOKEN": TOKEN, "FEELALIKE_MAX_K": "1000", "PYTHONPATH": str(ROOT)}
        begin = self._log.stat().st_size if self._log.exists() else 0
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self._command, "--device", "cpu", "--port", "0"], cwd=ROOT, env=os.environ | own, stderr=log
            )
        end = time.monotonic() + TIMEOUT_S
        while not (ready := re.search(rb"ready on (http://\S+)", self._log.read_bytes()[begin:])):
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the service did not start; see {self._log}")
            time.sleep(0.05)
        return ready[1].decode()

    def open(self, url: str) -> None:
        """Let the others use it."""
        self.url = url
        self.up.set()

    def kill(self) -> None:
        """As the kernel kills what takes too much memory."""
        self.up.clear()
        self.killed_at = time.monotonic()
        self.process.kill()
        self.process.wait()

    def builds(self) -> list[int]:
        """Processes that it has started."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        try:
            return [int(pid) for pid in children.read_text().split()]
        except OSError:
            return []

    def anonymous_mb(self) -> float:
        """Memory of its own, without mapped files."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"RssAnon:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]

    def open_files(self) -> int:
        """Descriptors."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))  # noqa: PTH208


class Memory(threading.Thread):
    """Follows one process."""

    def __init__(self, service: Service, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._service, self._stop_event = service, stop
        self.samples: list[tuple[float, float, int]] = []

    def run(self) -> None:
        while not self._stop_event.wait(0.5):
            self.samples.append((time.monotonic(), self._service.anonymous_mb(), self._service.open_files()))

    def slope_mb_per_hour(self) -> float:
        """By least squares."""
        times, megabytes = np.array([sample[:2] for sample in self.samples]).T
        return float(np.polyfit(times - times[0], megabytes, 1)[0]) * 3600 if len(times) > 2 else 0.0

    def growth_mb(self) -> float:
        """Median of the last tenth above that of the second tenth: in the first one caches fill."""
        n = max(1, len(self.samples) // 10)
        first, last = self.samples[n : 2 * n] or self.samples, self.samples[-n:]
        return float(np.median([one[1] for one in last]) - np.median([one[1] for one in first]))
