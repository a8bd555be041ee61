"""BentoML, with its adaptive batching on."""

from pathlib import Path
from typing import Any

import bentoml
import numpy as np

from benchmarks.alternatives.model import MAX_BATCH, answers, open_predictor, port


@bentoml.service(traffic={"timeout": 60})
class Classifier:
    """One worker with the model."""

    def __init__(self) -> None:
        self.predictor = open_predictor()

    @bentoml.api(batchable=True, max_batch_size=MAX_BATCH, max_latency_ms=10_000, route="/classify")
    def classify(self, file: list[Path]) -> list[dict[str, Any]]:
        """Classify what the framework put together."""
        return answers(self.predictor, np.stack([self.predictor.prepare(path) for path in file]))


if __name__ == "__main__":
    bentoml.serve("benchmarks.alternatives.bentoml_server:Classifier", host="127.0.0.1", port=port(), blocking=True)
