"""From nothing to a ready service: the time from the start of the process to the first 200 of /readyz."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.command import Options, start
from benchmarks.processes import free_port, service_command, serving
from benchmarks.results import Bar, Chart, Findings, Row, Sense
from benchmarks.stores import made_up_store
from emotion.bundle import load_bundle

NAME: Final = "cold_start"
TITLE: Final = "Cold start"
GALLERIES: Final = (596, 23_000)
FLOOR: Final = "libraries and graph alone"

_READY = Bar(sense=Sense.AT_MOST, limit=2.5, unit="s")

_FLOOR_SCRIPT = """
import sys
sys.modules["openvino_telemetry"] = None
import fastapi, faiss, numpy, uvicorn
import openvino as ov
ov.Core().compile_model(sys.argv[1], "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
"""
"""What no service on these libraries can do without."""


def measure(options: Options) -> Findings:
    """Start and stop again and again; beside it, what importing and compiling take by themselves."""
    rounds = options.pick(10, 1)
    counts = (300,) if options.quick else GALLERIES
    with tempfile.TemporaryDirectory(prefix="feelalike-start-") as name:
        folder, bundle = Path(name), load_bundle(options.bundle)
        stores = {count: made_up_store(folder / f"store-{count}", bundle, count).root for count in counts}
        seconds: dict[str, list[float]] = {name: [] for name in (*map(_named, counts), FLOOR)}
        for number in range(rounds + 1):
            for count, store in stores.items():
                taken = _service_s(options.bundle, store, folder / "service.log")
                _keep(seconds[_named(count)], taken, number)
            _keep(seconds[FLOOR], _floor_s(bundle.onnx_path), number)
    rows = [_row(count, seconds) for count in counts]
    chart = Chart(
        name="cold_start",
        title="Start of the process to /readyz",
        unit="s",
        labels=["cold start"],
        series={what: [median(times)] for what, times in seconds.items()},
    )
    return Findings(
        workload="files in the page cache, fp32, nothing compiled kept from before", rows=rows, charts=[chart]
    )


def _row(count: int, seconds: dict[str, list[float]]) -> Row:
    times = seconds[_named(count)]
    detail = f"{min(times):.2f} to {max(times):.2f} s; {FLOOR}: {median(seconds[FLOOR]):.2f} s"
    what = f"cold start of the CPU service to /readyz, {_named(count)}"
    return Row(what=what, bar=_READY, measured=median(times), unit="s", detail=detail)


def _keep(times: list[float], seconds: float, number: int) -> None:
    """The first round reads the files into the page cache and does not count."""
    if number:
        times.append(seconds)


def _named(count: int) -> str:
    return f"{count:,} vectors"


def _service_s(bundle: Path, store: Path, log: Path) -> float:
    port = free_port()
    with serving(service_command(bundle, store, port), port, log) as server:
        return server.start_s


def _floor_s(graph: Path) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", _FLOOR_SCRIPT, str(graph)], check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    start(NAME, TITLE, measure)
