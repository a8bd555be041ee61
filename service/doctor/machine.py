"""What the machine, or the container, gives: arithmetic, GPU, memory, cores."""

import os
import subprocess
from collections.abc import Mapping, Set
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

from emotion.runtime import Device, Precision
from service.doctor.finding import Finding, Findings, failed, ok, warning
from service.doctor.index import Size
from service.settings import ServiceSettings

CGROUPS: Final = Path("/sys/fs/cgroup")
BASE_BYTES: Final = 450 * 2**20
"""The CPU service with a small gallery under load; docs/benchmarks.md has 400 MB."""
DECODED_BYTES: Final = 16
"""Of a pixel, at worst: docs/security.md."""
NUMBER_BYTES: Final = 4
THREAD_VARIABLES: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_MIB: Final = 2**20
_NO_LIMIT: Final = 2**60
"""cgroup v1 writes a number near 2^63 where there is none."""
_SMI: Final = ("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
_SMI_TIMEOUT_S: Final = 20


class Limits(NamedTuple):
    """What a container may use."""

    memory_bytes: int | None
    cores: float | None


def cpu_findings(settings: ServiceSettings) -> Findings:
    """Which arithmetic the CPU has, and whether the precision is a good choice on it."""
    flags = cpu_flags(_text(Path("/proc/cpuinfo")))
    if not flags:
        yield ok("cpu", "its features cannot be read here; the runtime below says whether the precision works")
        return
    yield judge_cpu(flags, settings.precision, on_cpu=settings.device is not Device.CUDA)


def judge_cpu(flags: Set[str], precision: Precision, *, on_cpu: bool = True) -> Finding:
    """The features that matter, and the precisions they make fast."""
    names = {"avx2": "AVX2", "avx512f": "AVX-512", "avx512_vnni": "VNNI", "avx_vnni": "VNNI"}
    names |= {"avx512_bf16": "AVX512-BF16", "amx_bf16": "AMX-BF16", "amx_int8": "AMX-INT8"}
    has = list(dict.fromkeys(name for flag, name in names.items() if flag in flags))
    bf16, vnni = flags & {"avx512_bf16", "amx_bf16"}, flags & {"avx512_vnni", "avx_vnni", "amx_int8"}
    fast = ["fp32", *(["bf16"] if bf16 else []), *(["int8"] if vnni else [])]
    said = f"{', '.join(has) or 'none of AVX2, AVX-512, VNNI, BF16, AMX'}: {', '.join(fast)}"
    if on_cpu and precision is Precision.BF16 and not bf16:
        return failed("cpu", f"{said}; bf16 was asked for", "use --precision fp32, and build the index with it")
    if on_cpu and precision is Precision.INT8 and not vnni:
        return warning("cpu", f"{said}; int8 runs, but not faster", "use --precision fp32, or a CPU with VNNI")
    return ok("cpu", said)


def cpu_flags(cpuinfo: str) -> frozenset[str]:
    """The features of the first core in /proc/cpuinfo."""
    lines = (line.partition(":") for line in cpuinfo.splitlines())
    return frozenset(next((value.split() for name, _, value in lines if name.strip() == "flags"), ()))


def gpu_findings(settings: ServiceSettings) -> Findings:
    """Whether driver, torch and FAISS agree about the GPU."""
    cards = nvidia_smi()
    is_wanted = settings.device is Device.CUDA
    if not cards and not is_wanted:
        yield ok("gpu", "none; model and index run on the CPU")
        return
    yield judge_gpu(
        cards,
        torch_sees=_sees("emotion.torch_runtime", "cuda_is_available"),
        faiss_sees=_sees("index.gpu", "gpu_is_available"),
        is_wanted=is_wanted,
    )


def judge_gpu(cards: list[str], *, torch_sees: bool, faiss_sees: bool, is_wanted: bool) -> Finding:
    """What the three say, held against what was asked for."""
    said = f"nvidia-smi: {'; '.join(cards) or 'none'}; torch: {_yes(torch_sees)}; faiss: {_yes(faiss_sees)}"
    if cards and torch_sees and faiss_sees:
        return ok("gpu", said)
    if not cards:
        remedy = "install the NVIDIA driver; in a container the NVIDIA Container Toolkit too; or use --device cpu"
    else:
        remedy = "pip uninstall -y faiss-cpu, pip install 'feelalike[gpu]'; or use --device cpu"
    return failed("gpu", said, remedy) if is_wanted else warning("gpu", said, remedy)


def nvidia_smi() -> list[str]:
    """A line for each GPU: name, memory, driver; empty without a driver."""
    try:
        done = subprocess.run(_SMI, capture_output=True, text=True, timeout=_SMI_TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def memory_findings(settings: ServiceSettings, index: Size) -> Findings:
    """What this process may use against what it may come to need."""
    words = _text(Path("/proc/meminfo")).partition("MemTotal:")[2].split()
    total = int(words[0]) * 1024 if words else None
    bounds = [bound for bound in (total, container_limits().memory_bytes) if bound is not None]
    if not bounds:
        yield ok("memory", "its size cannot be read here")
        return
    yield judge_memory(min(bounds), settings, index)


def judge_memory(limit: int, settings: ServiceSettings, index: Size) -> Finding:
    """The service, the index twice while a new one is taken, and every decoder at the largest picture."""
    base = BASE_BYTES + index.n_pictures * index.dim * NUMBER_BYTES
    swap = index.n_pictures * index.dim * NUMBER_BYTES
    pictures = DECODED_BYTES * settings.max_pixels * settings.decode_threads
    pictures += settings.max_uploads * settings.max_upload_bytes
    worst = base + swap + pictures
    said = f"{limit / _MIB:.0f} MiB; the service needs about {base / _MIB:.0f}, at worst {worst / _MIB:.0f}"
    if limit < base:
        return failed("memory", said, "give it more memory, or index fewer pictures")
    if limit < worst:
        spare = max(limit - base - swap, 0) // 2
        pixels = max(spare // DECODED_BYTES // settings.decode_threads, 10**6)
        uploads = max(spare // settings.max_upload_bytes, 1)
        remedy = "pictures at the limits by many at a time could end it; set "
        remedy += f"FEELALIKE_MAX_PIXELS={min(pixels, settings.max_pixels)} "
        return warning("memory", said, remedy + f"FEELALIKE_MAX_UPLOADS={min(uploads, settings.max_uploads)}")
    return ok("memory", said)


def thread_findings(settings: ServiceSettings) -> Findings:
    """Whether the libraries' threads fit the cores that this process may use."""
    yield judge_threads(_cores(), container_limits().cores, settings, os.environ)


def judge_threads(
    cores: int, quota: float | None, settings: ServiceSettings, environment: Mapping[str, str]
) -> Finding:
    """A container's share of the cores is not what libraries count: they see all of them and wait for each other."""
    variables = {name: environment[name] for name in THREAD_VARIABLES if name in environment}
    model, decode = settings.model_threads or cores, settings.decode_threads
    said = f"{cores} cores; {model} for the model, {decode} to decode"
    said += "".join(f", {name}={value}" for name, value in variables.items())
    if quota is not None and quota < cores:
        share = max(round(quota), 1)
        said += f"; the container's share is {quota:g}"
        if max(model, decode) > share:
            remedy = f"set FEELALIKE_MODEL_THREADS={share} FEELALIKE_DECODE_THREADS={share} OMP_NUM_THREADS={share}"
            return warning("threads", said, remedy)
    elif model > cores:
        return warning("threads", said, f"set FEELALIKE_MODEL_THREADS to {cores} at most")
    return ok("threads", said)


def container_limits(root: Path = CGROUPS, own: Path = Path("/proc/self/cgroup")) -> Limits:
    """The least of the limits from this process's control group upwards, of either version."""
    paths = {fields[1]: fields[2] for line in _text(own).splitlines() if len(fields := line.split(":", 2)) == 3}
    memory = [_number(folder / "memory.max") for folder in _upwards(root, paths.get("", "/"))]
    memory += [_number(f / "memory.limit_in_bytes") for f in _upwards(root / "memory", paths.get("memory", "/"))]
    cores = [_share(_text(folder / "cpu.max").split()) for folder in _upwards(root, paths.get("", "/"))]
    for folder in _upwards(
        root / "cpu", next((path for names, path in paths.items() if "cpu" in names.split(",")), "/")
    ):
        cores.append(_share([_text(folder / name).strip() for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")]))
    return Limits(
        min((number for number in memory if number is not None and number < _NO_LIMIT), default=None),
        min((share for share in cores if share is not None), default=None),
    )


def _upwards(root: Path, path: str) -> list[Path]:
    """The folders of a group and of those it is in; inside a container its own is mounted at the root."""
    here = root / path.lstrip("/")
    return [folder for folder in (here, *here.parents) if folder.is_relative_to(root)]


def _share(words: list[str]) -> float | None:
    """Cores, from a quota and its period in microseconds."""
    if len(words) != 2 or not all(word.isdigit() for word in words) or int(words[1]) == 0:
        return None
    return int(words[0]) / int(words[1])


def _number(file: Path) -> int | None:
    text = _text(file).strip()
    return int(text) if text.isdigit() else None


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _sees(module: str, function: str) -> bool:
    """Ask a library that may be missing, or broken; the import of torch is not this package's own."""
    try:
        return bool(getattr(import_module(module), function)())
    except Exception:  # whatever a library raises at its import, it does not see the GPU
        return False


def _yes(sees: bool) -> str:
    return "sees it" if sees else "does not see it"
