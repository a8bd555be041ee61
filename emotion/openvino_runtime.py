"""The CPU runtime: the bundle's ONNX graph, or its int8 graph, in OpenVINO."""

import sys
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

# Without this module openvino takes its own stub for it; with it, every import is reported over the network.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import numpy as np
import openvino as ov

from emotion.arrays import PixelBatch
from emotion.bundle import Bundle
from emotion.errors import RuntimeUnavailableError
from emotion.runtime import N_STREAMS, Device, Precision, RawOutputs

PRECISION_HINTS: Final = {Precision.FP32: "f32", Precision.BF16: "bf16", Precision.INT8: "f32"}
"""What is not in 8 bits in an int8 graph is its own affair: the embedding, and it shall not depend on the host."""


class OpenVinoRuntime:
    """The graph of one picture, twice: for a picture that comes alone on all cores, and for several side by side.

    Side by side, each picture has its share of the cores to itself. The cores need not wait for each other at the end
    of every layer, as they do over a batch, and what one picture needs fits into their caches. A graph of one size also
    takes less memory than one for all, and a picture's numbers do not depend on its company.

    Args:
        bundle: the model.
        precision: fp32, bf16 on a CPU that has it, or int8 where the bundle has a graph for it.
        n_threads: cores used; all of them by default.
        n_streams: pictures that run side by side, of one batch or of several callers'.

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
        n_streams: int = N_STREAMS,
    ) -> None:
        core = the_core()
        if precision.value.upper() not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise RuntimeUnavailableError(f"this CPU has no {precision} arithmetic; use --precision {Precision.FP32}")
        self.precision = precision
        self._measures_familiarity = bundle.manifest.familiarity is not None
        model = core.read_model(graph_path(bundle, precision))
        model.reshape({"pixels": [1, *model.input("pixels").partial_shape[1:]]})
        # Without the hint OpenVINO would use bf16 wherever the CPU has it, and vectors would differ between hosts.
        hint = PRECISION_HINTS[precision]
        config: dict[str, object] = {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY"}
        if n_threads is not None:
            config["INFERENCE_NUM_THREADS"] = n_threads
        self._alone = _requests(model, config, 1)
        # One more for each stream, so that it has its next picture at once.
        self._side_by_side = _requests(model, {**config, "NUM_STREAMS": n_streams}, 2 * n_streams)

    def run(self, pixels: PixelBatch) -> RawOutputs:
        """Everything the network says of prepared pictures."""
        requests = self._alone if len(pixels) == 1 else self._side_by_side
        running: deque[ov.InferRequest] = deque()
        found: list[RawOutputs] = []
        try:
            for i in range(len(pixels)):
                while (request := _free(requests, wait=not running)) is None:
                    found.append(self._finished(running, requests))
                running.append(request)
                request.start_async({"pixels": pixels[i : i + 1]}, share_inputs=True)
            while running:
                found.append(self._finished(running, requests))
        finally:
            for request in running:  # something failed; what still runs reads from our memory
                with suppress(RuntimeError):
                    request.wait()
                requests.put(request)
        return _joined(found)

    def _finished(self, running: deque[ov.InferRequest], requests: SimpleQueue[ov.InferRequest]) -> RawOutputs:
        """What came of the one that has run longest, which is free then."""
        request = running[0]
        request.wait()
        outputs = [request.get_tensor(name).data.copy() for name in ("embedding", "logits")]
        if self._measures_familiarity:
            outputs.append(request.get_tensor("unfamiliarity").data.copy())
        requests.put(running.popleft())
        return RawOutputs(*outputs)


def _requests(model: ov.Model, config: Mapping[str, object], n: int) -> SimpleQueue[ov.InferRequest]:
    """Free ones of the newly compiled model."""
    compiled = the_core().compile_model(model, "CPU", config)
    free: SimpleQueue[ov.InferRequest] = SimpleQueue()
    for _ in range(n):
        free.put(compiled.create_infer_request())
    return free


def _free(requests: SimpleQueue[ov.InferRequest], *, wait: bool) -> ov.InferRequest | None:
    """One that nobody uses; None where there is none and it is not waited for."""
    try:
        return requests.get(block=wait)
    except Empty:
        return None


def _joined(found: Sequence[RawOutputs]) -> RawOutputs:
    """Of single pictures, those of a batch."""
    embeddings, logits, unfamiliarities = zip(*found, strict=True)
    measured = None if unfamiliarities[0] is None else np.concatenate(unfamiliarities)
    return RawOutputs(np.concatenate(embeddings), np.concatenate(logits), measured)


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
