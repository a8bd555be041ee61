"""What every alternative does with a picture: the same Predictor, the same answer."""

import os
from pathlib import Path
from typing import Any, Final

from emotion.arrays import PixelBatch, Probabilities
from emotion.predictor import Predictor
from emotion.runtime import Device, Precision

BUNDLE: Final = "BENCH_BUNDLE"
"""Variable with the model's folder: some of these servers load their code by name, without arguments."""
PORT: Final = "BENCH_PORT"
MAX_BATCH: Final = 8
"""As the service's default."""


def open_predictor() -> Predictor:
    """The model that the environment names."""
    return Predictor.open(Path(os.environ[BUNDLE]), Device.CPU, Precision.FP32)


def port() -> int:
    """Where to listen."""
    return int(os.environ[PORT])


def answers(predictor: Predictor, pixels: PixelBatch) -> list[dict[str, Any]]:
    """What is said of each picture of a batch."""
    return [answer(predictor, row) for row in predictor.infer(pixels).probabilities]


def answer(predictor: Predictor, probabilities: Probabilities) -> dict[str, Any]:
    """The most probable emotion and the probability of each."""
    names = predictor.taxonomy.names
    by_name = {name: round(float(value), 6) for name, value in zip(names, probabilities, strict=True)}
    return {"emotion": names[int(probabilities.argmax())], "probabilities": by_name}
