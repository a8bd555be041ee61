"""Predictor against bare OpenVINO on the same graph at the same precision, and against torch in eager mode.

A bundle without an int8 graph gets one in a copy, calibrated on painted pictures: its numbers mean little, and it takes
as long as any other. With labelled photos (`--data`) that the bundle was not trained on, also what a precision costs in
retrieval.
"""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.command import Options, start
from benchmarks.measure import Work, in_ms, interleaved, ratio
from benchmarks.pictures import SMALL, write_jpegs
from benchmarks.results import Bar, Chart, Findings, Row, Sense
from emotion.arrays import PixelBatch
from emotion.bundle import Bundle, load_bundle
from emotion.errors import DataError, RuntimeUnavailableError
from emotion.openvino_runtime import PRECISION_HINTS, graph_path
from emotion.predictor import Predictor
from emotion.runtime import Device, Precision
from emotion.torch_runtime import TorchRuntime
from training.assess import leave_out_training_pictures
from training.data.samples import Sample, read_samples
from training.evaluation.evaluate import evaluate, score
from training.quantise import calibrated

NAME: Final = "predictor"
TITLE: Final = "Predictor against the bare runtime"
BATCH: Final = 8
TORCH: Final = "torch eager, fp32"
PAINTED: Final = "painted pictures"

_WITHIN = Bar(sense=Sense.AT_MOST, limit=1.10, unit="x")
_THIRD = Bar(sense=Sense.AT_MOST, limit=0.333, unit="x", needs_bf16_matrices=True)
_COSTS: Final = {
    Precision.BF16: Bar(sense=Sense.BELOW, limit=0.005, unit=""),
    Precision.INT8: Bar(sense=Sense.BELOW, limit=0.01, unit=""),
}
"""What a precision may take off the mean average precision."""


def measure(options: Options) -> Findings:
    """Time batches of random pixels, which take as long as any others."""
    with tempfile.TemporaryDirectory(prefix="feelalike-predictor-") as name:
        return _measure(_with_int8(load_bundle(options.bundle), Path(name), options), options)


def _measure(bundle: Bundle, options: Options) -> Findings:
    predictors, missing = open_predictors(bundle)
    size = bundle.manifest.preprocess.size_px
    pixels = np.random.default_rng(0).standard_normal((BATCH, 3, size, size)).astype(np.float32)
    contenders = {TORCH: _torch(bundle, pixels)}
    for precision, predictor in predictors.items():
        contenders[_bare_name(precision)] = bare_openvino(bundle, precision, pixels)
        contenders[_our_name(precision)] = _ours(predictor, pixels)
    seconds = interleaved(contenders, rounds=options.pick(30, 2), calls=options.pick(10, 1))
    rows = [_against_bare(precision, seconds) for precision in predictors]
    rows += [_not_measured(precision, why) for precision, why in missing.items()]
    rows += [_against_torch(seconds), *_costs(predictors, options)]
    figures = {name: [in_ms(times) / BATCH] for name, times in seconds.items()}
    title, labels = f"Time a picture, batch of {BATCH}", [bundle.manifest.name]
    chart = Chart(name="predictor", title=title, unit="ms", labels=labels, series=figures)
    return Findings(workload=f"{bundle.manifest.name}, batches of {BATCH}, all cores", rows=rows, charts=[chart])


def _with_int8(bundle: Bundle, folder: Path, options: Options) -> Bundle:
    """The bundle, or a copy with an int8 graph; the copy as it is where that cannot be made here."""
    if bundle.manifest.int8 is not None:
        return bundle
    copy = load_bundle(shutil.copytree(bundle.path, folder / "bundle"))
    try:
        return calibrated(copy, write_jpegs(folder / "painted", options.pick(64, 4), SMALL), PAINTED)
    except RuntimeUnavailableError:
        return copy


def open_predictors(bundle: Bundle) -> tuple[dict[Precision, Predictor], dict[Precision, str]]:
    """One for every precision that this CPU and the bundle have, and why there is none for the others."""
    found, missing = {}, {}
    for precision in Precision:
        try:
            found[precision] = Predictor.open(bundle.path, Device.CPU, precision)
        except RuntimeUnavailableError as error:
            missing[precision] = str(error).partition(";")[0]
    return found, missing


def bare_openvino(bundle: Bundle, precision: Precision, pixels: PixelBatch) -> Work:
    """The graph as it is, run on whole batches by OpenVINO's own calls; nothing is copied in or out."""
    import openvino as ov

    config = {"INFERENCE_PRECISION_HINT": PRECISION_HINTS[precision], "PERFORMANCE_HINT": "LATENCY"}
    request = ov.Core().compile_model(str(graph_path(bundle, precision)), "CPU", config).create_infer_request()
    return lambda: request.infer({"pixels": pixels}, share_inputs=True, share_outputs=True)


def _ours(predictor: Predictor, pixels: PixelBatch) -> Work:
    return lambda: predictor.infer(pixels)


def _torch(bundle: Bundle, pixels: PixelBatch) -> Work:
    run: Callable[[PixelBatch], object] = TorchRuntime(bundle, Device.CPU, Precision.FP32).run
    return lambda: run(pixels)


def _against_bare(precision: Precision, seconds: dict[str, list[float]]) -> Row:
    ours, bare = seconds[_our_name(precision)], seconds[_bare_name(precision)]
    found = ratio(ours, bare)
    detail = f"{in_ms(ours):.2f} ms a batch against {in_ms(bare):.2f}; {found.spread}"
    return Row(what=_against_bare_name(precision), bar=_WITHIN, measured=found.median, unit="x", detail=detail)


def _not_measured(precision: Precision, why: str) -> Row:
    return Row(what=_against_bare_name(precision), bar=_WITHIN, measured=None, unit="x", detail=why)


def _costs(predictors: dict[Precision, Predictor], options: Options) -> list[Row]:
    """Leave-one-out among photos that did not train the bundle; nothing without photos."""
    if options.data is None:
        return []
    exact = predictors[Precision.FP32]
    try:
        samples = leave_out_training_pictures(exact.bundle, read_samples(options.data, exact.taxonomy).samples)
    except DataError:
        return [_cost(one, None, "needs labelled photos that did not train the bundle") for one in _COSTS]
    mean_ap = {
        precision: _mean_ap(predictor, samples)
        for precision, predictor in predictors.items()
        if precision is not Precision.INT8 or not _is_painted(predictor.bundle)
    }
    of = f"{len(samples)} photos that did not train it, leave-one-out"
    return [
        _cost(one, mean_ap[Precision.FP32] - found, f"{found:.4f} against {mean_ap[Precision.FP32]:.4f} in fp32; {of}")
        for one, found in mean_ap.items()
        if one in _COSTS
    ]


def _is_painted(bundle: Bundle) -> bool:
    """Whether the int8 graph was made for the time that it takes, and says nothing of what it costs."""
    return bundle.manifest.int8 is not None and bundle.manifest.int8.data == PAINTED


def _mean_ap(predictor: Predictor, samples: list[Sample]) -> float:
    return evaluate(score(predictor, samples), predictor.taxonomy).sv.by_emotion.mean_ap


def _cost(precision: Precision, cost: float | None, detail: str) -> Row:
    what = f"{precision}: mean average precision by emotion that it costs"
    return Row(what=what, bar=_COSTS[precision], measured=cost, unit="", detail=detail)


def _against_torch(seconds: dict[str, list[float]]) -> Row:
    what = f"Predictor, batch {BATCH}, bf16: time against torch eager fp32"
    ours, torch = seconds.get(_our_name(Precision.BF16)), seconds[TORCH]
    if ours is None:
        return Row(what=what, bar=_THIRD, measured=None, unit="x", detail="this CPU has no bf16 arithmetic")
    found = ratio(ours, torch)
    detail = f"{in_ms(ours):.2f} ms a batch against {in_ms(torch):.2f}; {found.spread}"
    return Row(what=what, bar=_THIRD, measured=found.median, unit="x", detail=detail)


def _against_bare_name(precision: Precision) -> str:
    return f"Predictor, batch {BATCH}, {precision}: time against bare OpenVINO"


def _our_name(precision: Precision) -> str:
    return f"Predictor, {precision}"


def _bare_name(precision: Precision) -> str:
    return f"bare OpenVINO, {precision}"


if __name__ == "__main__":
    start(NAME, TITLE, measure)
