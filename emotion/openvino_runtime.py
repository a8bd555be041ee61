"""The CPU runtime: the bundle's ONNX graph, or its int8 graph, in OpenVINO."""

import sys
from functools import cache
from pathlib import Path
from queue import SimpleQueue
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


class OpenVinoRuntime:
    """One compiled graph and an infer request for each stream; who finds none free waits.

    Args:
        bundle: the model.
        precision: fp32, bf16 on a CPU that has it, or int8 where the bundle has a graph for it.
        n_threads: cores used; all of them by default.
        n_streams: batches that may run at a time, each on its share of the cores: for throughput, in more memory.

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
        # Without the hint OpenVINO would use bf16 wherever the CPU has it, and vectors would differ between hosts.
        hint = PRECISION_HINTS[precision]
        config: dict[str, object] = {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY"}
        if n_streams > 1:
            config["NUM_STREAMS"] = n_streams
        if n_threads is not None:
            config["INFERENCE_NUM_THREADS"] = n_threads
        compiled = core.compile_model(str(graph_path(bundle, precision)), "CPU", config)
        self._measures_familiarity = bundle.manifest.familiarity is not None
        self._free: SimpleQueue[ov.InferRequest] = SimpleQueue()
        for _ in range(n_streams):
            self._free.put(compiled.create_infer_request())

    def run(self, pixels: PixelBatch) -> RawOutputs:
        """Everything the network says of prepared pictures."""
        request = self._free.get()
        try:
            request.infer({"pixels": pixels}, share_inputs=True)
            embeddings = request.get_tensor("embedding").data.copy()
            logits = request.get_tensor("logits").data.copy()
            if not self._measures_familiarity:
                return RawOutputs(embeddings, logits)
            return RawOutputs(embeddings, logits, request.get_tensor("unfamiliarity").data.copy())
        finally:
            self._free.put(request)


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
