"""The CPU runtime: the bundle's ONNX graph, or its int8 graph, in OpenVINO."""

import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

# Without this module openvino takes its own stub for it; with it, every import is reported over the network.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino as ov

from emotion.arrays import PixelBatch
from emotion.bundle import Bundle
from emotion.errors import RuntimeUnavailableError
from emotion.runtime import Device, Precision, RawOutputs

PRECISION_HINTS: Final = {Precision.FP32: "f32", Precision.BF16: "bf16", Precision.INT8: "f32"}
"""What is not in 8 bits in an int8 graph is its own affair: the embedding, and it shall not depend on the host."""

_Requests = SimpleQueue[ov.InferRequest]


class OpenVinoRuntime:
    """The compiled graph and an infer request for each stream; who finds none free waits.

    Streams give the most pictures a second: cores that share one picture wait for each other at the end of every layer.
    But a picture that comes alone is answered soonest by all cores together, so besides several streams there is the
    graph once more, undivided.

    Args:
        bundle: the model.
        precision: fp32, bf16 on a CPU that has it, or int8 where the bundle has a graph for it.
        n_threads: cores used; all of them by default.
        n_streams: batches that may run at a time, each on its share of the cores: for throughput.

    Raises:
        RuntimeUnavailableError: the CPU lacks the precision, or the bundle the graph.
    """

    name = "openvino"
    device = Device.CPU
    failure: str | None = None

    def __init__(
        self,
        bundle: Bundle,
        precision: Precision = Precision.FP32,
        *,
        n_threads: int | None = None,
        n_streams: int = 1,
    ) -> None:
        core = the_core()
        if precision.value.upper() not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise RuntimeUnavailableError(f"this CPU has no {precision} arithmetic; use --precision {Precision.FP32}")
        self.precision = precision
        self.n_streams = n_streams
        # Without the hint OpenVINO would use bf16 wherever the CPU has it, and vectors would differ between hosts.
        hint = PRECISION_HINTS[precision]
        config: dict[str, object] = {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY"}
        if n_threads is not None:
            config["INFERENCE_NUM_THREADS"] = n_threads
        graph = core.read_model(graph_path(bundle, precision))
        self._measures_familiarity = bundle.manifest.familiarity is not None
        self._streams = _requests(core.compile_model(graph, "CPU", {**config, "NUM_STREAMS": n_streams}), n_streams)
        self._undivided: _Requests = SimpleQueue()
        if n_streams > 1:
            self._undivided = _requests(core.compile_model(graph, "CPU", config), 1)

    def run(self, pixels: PixelBatch) -> RawOutputs:
        """Everything the network says of prepared pictures."""
        request, home = self._take(len(pixels))
        try:
            request.infer({"pixels": pixels}, share_inputs=True)
            embeddings = request.get_tensor("embedding").data.copy()
            logits = request.get_tensor("logits").data.copy()
            if not self._measures_familiarity:
                return RawOutputs(embeddings, logits)
            return RawOutputs(embeddings, logits, request.get_tensor("unfamiliarity").data.copy())
        finally:
            home.put(request)

    def _take(self, n_pictures: int) -> tuple[ov.InferRequest, _Requests]:
        """A request and where it is to be given back."""
        if n_pictures == 1 and self._streams.qsize() == self.n_streams:  # nobody else is here
            with suppress(Empty):
                return self._undivided.get_nowait(), self._undivided
        return self._streams.get(), self._streams


def _requests(compiled: ov.CompiledModel, n: int) -> _Requests:
    free: _Requests = SimpleQueue()
    for _ in range(n):
        free.put(compiled.create_infer_request())
    return free


@cache
def the_core() -> ov.Core:
    """OpenVINO, once in a process and to its end.

    Its CPU plugin gives the thread that loads it a stack for signals, and frees that memory when it is unloaded, in
    whichever thread that happens. In another one the first goes on using it: the next signal, a child's end is enough,
    overwrites foreign memory or ends the process.
    """
    return ov.Core()


def graph_path(bundle: Bundle, precision: Precision) -> Path:
    """The file that is run at this precision; raises RuntimeUnavailableError where the bundle lacks it."""
    if precision is not Precision.INT8:
        return bundle.onnx_path
    if bundle.int8_path is None:
        raise RuntimeUnavailableError(
            f"this bundle has no int8 graph; make one from its training pictures: "
            f"python -m training quantise --bundle {bundle.path} --data PICTURES"
        )
    return bundle.int8_path
