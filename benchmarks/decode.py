"""Decoding, resizing and normalising a picture, against the fastest reduced decoder and against the model."""

from collections.abc import Callable
from io import BytesIO
from itertools import cycle
from typing import Final

import numpy as np
from PIL import Image

from benchmarks.command import Options, start
from benchmarks.measure import Work, in_ms, interleaved, ratio
from benchmarks.pictures import LARGE, SMALL, Size, described, jpegs
from benchmarks.results import Bar, Chart, Findings, Row, Sense
from emotion.predictor import Predictor
from emotion.runtime import Device, Precision

NAME: Final = "decode"
TITLE: Final = "Decoding"
OURS: Final = "decode + resize + normalise"
MODEL: Final = "model, fp32, batch 1"
MODEL_8: Final = "model, fp32, a picture of a batch of 8"

_NEAR_DECODER = Bar(sense=Sense.AT_MOST, limit=1.15, unit="x")
_BELOW_MODEL = Bar(sense=Sense.AT_MOST, limit=1.0, unit="x")

Decoder = Callable[[bytes], object]


def measure(options: Options) -> Findings:
    """Time single pictures, one thread; the model has all cores."""
    predictor = Predictor.open(options.bundle, Device.CPU, Precision.FP32)
    n_large, n_small = options.pick(8, 2), options.pick(64, 4)
    large, small = jpegs(n_large, LARGE, options.data), jpegs(n_small, SMALL, options.data)
    row_large, chart_large = _against_decoders(predictor, large, LARGE, options)
    row_small, chart_small = _against_model(predictor, small, options)
    workload = f"{described(n_large, LARGE, options.data)}; {described(n_small, SMALL, options.data)}"
    return Findings(workload=workload, rows=[row_large, *row_small], charts=[chart_large, chart_small])


def _against_decoders(predictor: Predictor, pictures: list[bytes], size: Size, options: Options) -> tuple[Row, Chart]:
    """Ours includes the resize and the normalisation, theirs do not; all decode to the same reduced size."""
    others = reduced_decoders(predictor.bundle.manifest.preprocess.min_side_px, size)
    contenders = {OURS: in_turn(predictor.prepare, pictures)}
    contenders |= {name: in_turn(decoder, pictures) for name, decoder in others.items()}
    seconds = interleaved(contenders, rounds=options.pick(20, 2), calls=len(pictures))
    fastest = min(others, key=lambda name: in_ms(seconds[name]))
    found = ratio(seconds[OURS], seconds[fastest])
    detail = f"{in_ms(seconds[OURS]):.1f} ms against {in_ms(seconds[fastest]):.1f} of {fastest}"
    detail += f", the fastest of {', '.join(others)}; {found.spread}"
    what = "12 MP JPEG, decode + resize + normalise: time against the fastest reduced decoder's decoding alone"
    row = Row(what=what, bar=_NEAR_DECODER, measured=found.median, unit="x", detail=detail)
    series = {name: [in_ms(times)] for name, times in seconds.items()}
    return row, Chart(name="decode_large", title="A 12 MP JPEG", unit="ms", labels=["12 MP"], series=series)


def _against_model(predictor: Predictor, pictures: list[bytes], options: Options) -> tuple[list[Row], Chart]:
    pixels = np.stack([predictor.prepare(picture) for picture in pictures[:1]] * 8)
    contenders: dict[str, Work] = {
        OURS: in_turn(predictor.prepare, pictures),
        MODEL: lambda: predictor.infer(pixels[:1]),
        MODEL_8: lambda: predictor.infer(pixels),
    }
    seconds = interleaved(contenders, rounds=options.pick(30, 2), calls=options.pick(16, 1))
    seconds[MODEL_8] = [value / len(pixels) for value in seconds[MODEL_8]]
    rows = []
    for model in (MODEL, MODEL_8):
        found = ratio(seconds[OURS], seconds[model])
        detail = f"{in_ms(seconds[OURS]):.2f} ms on one core against {in_ms(seconds[model]):.2f} on all; {found.spread}"
        what = f"640x480 JPEG, decode + resize + normalise: time against the {model}"
        rows.append(Row(what=what, bar=_BELOW_MODEL, measured=found.median, unit="x", detail=detail))
    series = {name: [in_ms(times)] for name, times in seconds.items()}
    return rows, Chart(name="decode_small", title="A 640x480 JPEG", unit="ms", labels=["640x480"], series=series)


def reduced_decoders(min_side: int, size: Size) -> dict[str, Decoder]:
    """Decoders that use libjpeg's scaling, to the smallest size with a shorter side of `min_side` or more.

    Those installed. Their settings are the exact ones: the fast transforms of libjpeg-turbo give other pixels.
    """
    factor = next(factor for factor in (8, 4, 2, 1) if min(size) // factor >= min_side)
    found: dict[str, Decoder] = {"Pillow draft": _pillow((size[0] // factor, size[1] // factor))}
    for name, make in (("OpenCV", _opencv), ("simplejpeg", _simplejpeg)):
        try:
            found[name] = make(factor, min_side)
        except ImportError:
            continue
    return found


def in_turn(work: Callable[[bytes], object], pictures: list[bytes]) -> Work:
    """Does the next picture with every call."""
    following = cycle(pictures)
    return lambda: work(next(following))


def _pillow(size: Size) -> Decoder:
    def decode(data: bytes) -> object:
        picture = Image.open(BytesIO(data))
        picture.draft("RGB", size)
        return picture.load()

    return decode


def _opencv(factor: int, _min_side: int) -> Decoder:
    import cv2

    flag = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4}.get(
        factor, cv2.IMREAD_REDUCED_COLOR_8
    )
    return lambda data: cv2.imdecode(np.frombuffer(data, np.uint8), flag)


def _simplejpeg(_factor: int, min_side: int) -> Decoder:
    import simplejpeg

    return lambda data: simplejpeg.decode_jpeg(data, min_height=min_side, min_width=min_side)


if __name__ == "__main__":
    start(NAME, TITLE, measure)
