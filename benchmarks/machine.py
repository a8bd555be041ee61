"""The machine that figures are from, and whether it was quiet."""

import os
import platform
import subprocess
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

BUSY_SHARE: Final = 0.1
"""Of the cores: above it something else is running."""
_LOOK_S: Final = 2.0
THREAD_LIMITS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_CODE: Final = ("*.py", "pyproject.toml", "models")
PACKAGES: Final = ("openvino", "faiss-cpu", "torch", "numpy", "pillow", "fastapi", "uvicorn")


class Machine(BaseModel):
    """Facts of a machine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cpu: str
    cores: int
    """That this process may use."""
    memory_gb: float
    bf16_vectors: bool
    """AVX-512 BF16: pairs of bf16 products, on the vector units."""
    bf16_matrices: bool
    """AMX: tiles of bf16 products."""
    python: str
    versions: dict[str, str]

    @property
    def bf16_units(self) -> str:
        """Which bf16 arithmetic the CPU has."""
        if self.bf16_matrices:
            return "matrix units (AMX)"
        return "vector units only (AVX-512 BF16)" if self.bf16_vectors else "none"


class Noise(BaseModel):
    """What else the machine was doing when a measurement began."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    load: float
    """Load average of the minute before; it remembers the benchmark before this one."""
    busy: float
    """Cores that others kept busy while this one had not begun; what the hypervisor took counts."""
    cores: int
    thread_limits: dict[str, str] = Field(default_factory=dict)
    """Variables of the environment that hold libraries to fewer threads."""

    @property
    def is_quiet(self) -> bool:
        """Whether figures from then count."""
        return self.busy <= BUSY_SHARE * self.cores and not self.thread_limits

    @property
    def warning(self) -> str | None:
        """What to say of a machine that is not quiet."""
        if self.is_quiet:
            return None
        limits = "".join(f", {name} was {value}" for name, value in self.thread_limits.items())
        return f"not a quiet machine: when this began others kept {self.busy:.2f} of {self.cores} cores busy{limits}"


def this_machine() -> Machine:
    """Facts of the machine that this runs on."""
    cpuinfo = _read(Path("/proc/cpuinfo"))
    flags = set(_field(cpuinfo, "flags").split())
    memory_kib = int((_field(_read(Path("/proc/meminfo")), "MemTotal") or "0").split()[0])
    return Machine(
        cpu=_field(cpuinfo, "model name") or platform.processor() or platform.machine(),
        cores=cores(),
        memory_gb=round(memory_kib / 2**20, 1),
        bf16_vectors="avx512_bf16" in flags,
        bf16_matrices="amx_bf16" in flags,
        python=platform.python_version(),
        versions={name: found for name in PACKAGES if (found := _version(name)) is not None},
    )


def this_commit() -> str:
    """What code was measured: the commit, with a plus where files differ from it; empty outside a checkout."""
    commit = _git("rev-parse", "--short", "HEAD")
    return commit + "+" if commit and _git("status", "--porcelain", "--", *_CODE) else commit


def noise_now(look_s: float = _LOOK_S) -> Noise:
    """What goes on while we wait for a moment."""
    load, before = os.getloadavg()[0], _cpu_times()
    time.sleep(look_s)
    after = _cpu_times()
    limits = {name: os.environ[name] for name in THREAD_LIMITS if name in os.environ}
    busy = round(busy_cores(before, after, os.cpu_count() or 1), 2)
    return Noise(load=round(load, 2), busy=busy, cores=cores(), thread_limits=limits)


def busy_cores(before: Sequence[int], after: Sequence[int], n_cores: int) -> float:
    """Cores in use between two looks at the times of /proc/stat: user, nice, system, idle, iowait, irq, ... steal."""
    spent = [b - a for a, b in zip(before, after, strict=True)]
    total, idle = sum(spent), spent[3] + spent[4]
    return n_cores * (total - idle) / total if total else 0.0


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def _cpu_times() -> list[int]:
    """Of all cores together; without those of guests, which are part of the first two already."""
    return [int(value) for value in _read(Path("/proc/stat")).partition("\n")[0].split()[1:9]] or [0] * 8


def _read(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def _git(*arguments: str) -> str:
    """What a command that only looks prints; empty where it fails."""
    folder = Path(__file__).parents[1]
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _field(text: str, name: str) -> str:
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
