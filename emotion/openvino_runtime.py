"""The CPU runtime: the bundle's ONNX graph in OpenVINO."""

import sys
import threading
from typing import Final

# Without this module openvino takes its own stub for it; with it, every import is reported over the network.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino as ov

from emotion.arrays import PixelBatch
from emotion.bundle import Bundle
from emotion.errors import RuntimeUnavailableError
from emotion.runtime import Device, Precision, RawOutputs

_HINTS: Final = {Precision.FP32: "f32", Precision.BF16: "bf16"}


class OpenVinoRuntime:
    """One compiled graph and one infer request, guarded by a lock.

    Args:
        bundle: the model.
        precision: fp32, or bf16 on a CPU that has it.
        n_threads: cores used; all of them by default.

    Raises:
        RuntimeUnavailableError: the CPU lacks the precision.
    """

    name = "openvino"
    device = Device.CPU
    failure: str | None = None

    def __init__(self, bundle: Bundle, precision: Precision = Precision.FP32, *, n_threads: int | None = None) -> None:
        core = ov.Core()
        if precision.value.upper() not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise RuntimeUnavailableError(f"this CPU has no {precision} arithmetic; use --precision {Precision.FP32}")
        self.precision = precision
        # Without the hint OpenVINO would use bf16 wherever the CPU has it, and vectors would differ between hosts.
        config: dict[str, object] = {"INFERENCE_PRECISION_HINT": _HINTS[precision], "PERFORMANCE_HINT": "LATENCY"}
        if n_threads is not None:
            config["INFERENCE_NUM_THREADS"] = n_threads
        compiled = core.compile_model(str(bundle.onnx_path), "CPU", config)
        self._request = compiled.create_infer_request()
        self._measures_familiarity = bundle.manifest.familiarity is not None
        self._lock = threading.Lock()

    def run(self, pixels: PixelBatch) -> RawOutputs:
        """Everything the network says of prepared pictures."""
        with self._lock:
            self._request.infer({"pixels": pixels}, share_inputs=True)
            embeddings = self._request.get_tensor("embedding").data.copy()
            logits = self._request.get_tensor("logits").data.copy()
            if not self._measures_familiarity:
                return RawOutputs(embeddings, logits)
            return RawOutputs(embeddings, logits, self._request.get_tensor("unfamiliarity").data.copy())
