"""Predictor against bare OpenVINO on the same graph at the same precision, and against torch in eager mode."""

from collections.abc import Callable
from typing import Final

import numpy as np

from benchmarks.command import Options, start
from benchmarks.measure import Work, in_ms, interleaved, ratio
from benchmarks.results import Bar, Chart, Findings, Row, Sense
from emotion.arrays import PixelBatch
from emotion.bundle import Bundle
from emotion.errors import RuntimeUnavailableError
from emotion.predictor import Predictor
from emotion.runtime import Device, Precision
from emotion.torch_runtime import TorchRuntime

NAME: Final = "predictor"
TITLE: Final = "Predictor against the bare runtime"
BATCH: Final = 8
TORCH: Final = "torch eager, fp32"

_WITHIN = Bar(sense=Sense.AT_MOST, limit=1.10, unit="x")
_THIRD = Bar(sense=Sense.AT_MOST, limit=0.333, unit="x", needs_bf16_matrices=True)


def measure(options: Options) -> Findings:
    """Time batches of random pixels, which take as long as any others."""
    predictors = open_predictors(options)
    bundle = predictors[Precision.FP32].bundle
    size = bundle.manifest.preprocess.size_px
    pixels = np.random.default_rng(0).standard_normal((BATCH, 3, size, size)).astype(np.float32)
    contenders = {TORCH: _torch(bundle, pixels)}
    for precision, predictor in predictors.items():
        contenders[_bare_name(precision)] = bare_openvino(bundle, precision, pixels)
        contenders[_our_name(precision)] = _ours(predictor, pixels)
    seconds = interleaved(contenders, rounds=options.pick(30, 2), calls=options.pick(10, 1))
    rows = [_against_bare(precision, seconds) for precision in predictors] + [_against_torch(seconds)]
    figures = {name: [in_ms(times) / BATCH] for name, times in seconds.items()}
    title, labels = f"Time a picture, batch of {BATCH}", [bundle.manifest.name]
    chart = Chart(name="predictor", title=title, unit="ms", labels=labels, series=figures)
    return Findings(workload=f"{bundle.manifest.name}, batches of {BATCH}, all cores", rows=rows, charts=[chart])


def open_predictors(options: Options) -> dict[Precision, Predictor]:
    """One for every precision that this CPU has."""
    found = {}
    for precision in Precision:
        try:
            found[precision] = Predictor.open(options.bundle, Device.CPU, precision)
        except RuntimeUnavailableError:
            continue
    return found


def bare_openvino(bundle: Bundle, precision: Precision, pixels: PixelBatch) -> Work:
    """The graph run by OpenVINO's own calls, in the way that is fastest: nothing is copied in or out."""
    import openvino as ov

    config = {"INFERENCE_PRECISION_HINT": _ov_type(precision), "PERFORMANCE_HINT": "LATENCY"}
    request = ov.Core().compile_model(str(bundle.onnx_path), "CPU", config).create_infer_request()
    return lambda: request.infer({"pixels": pixels}, share_inputs=True, share_outputs=True)


def _ov_type(precision: Precision) -> str:
    return "f32" if precision is Precision.FP32 else precision.value


def _ours(predictor: Predictor, pixels: PixelBatch) -> Work:
    return lambda: predictor.infer(pixels)


def _torch(bundle: Bundle, pixels: PixelBatch) -> Work:
    run: Callable[[PixelBatch], object] = TorchRuntime(bundle, Device.CPU, Precision.FP32).run
    return lambda: run(pixels)


def _against_bare(precision: Precision, seconds: dict[str, list[float]]) -> Row:
    ours, bare = seconds[_our_name(precision)], seconds[_bare_name(precision)]
    found = ratio(ours, bare)
    detail = f"{in_ms(ours):.2f} ms a batch against {in_ms(bare):.2f}; {found.spread}"
    what = f"Predictor, batch {BATCH}, {precision}: time against bare OpenVINO"
    return Row(what=what, bar=_WITHIN, measured=found.median, unit="x", detail=detail)


def _against_torch(seconds: dict[str, list[float]]) -> Row:
    what = f"Predictor, batch {BATCH}, bf16: time against torch eager fp32"
    ours, torch = seconds.get(_our_name(Precision.BF16)), seconds[TORCH]
    if ours is None:
        return Row(what=what, bar=_THIRD, measured=None, unit="x", detail="this CPU has no bf16 arithmetic")
    found = ratio(ours, torch)
    detail = f"{in_ms(ours):.2f} ms a batch against {in_ms(torch):.2f}; {found.spread}"
    return Row(what=what, bar=_THIRD, measured=found.median, unit="x", detail=detail)


def _our_name(precision: Precision) -> str:
    return f"Predictor, {precision}"


def _bare_name(precision: Precision) -> str:
    return f"bare OpenVINO, {precision}"


if __name__ == "__main__":
    start(NAME, TITLE, measure)
