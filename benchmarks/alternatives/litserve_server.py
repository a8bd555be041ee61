"""LitServe, with its batching on: the batch takes what came within a hundredth of a second."""

from typing import Any, cast

import litserve as ls
import numpy as np
from fastapi import Request, UploadFile

from benchmarks.alternatives.model import MAX_BATCH, answers, open_predictor, port
from emotion.arrays import PixelBatch, Pixels


class Api(ls.LitAPI):
    """Decoding, batching, the model and the answer, as the framework calls them."""

    def setup(self, device: str) -> None:  # noqa: ARG002 - the framework's signature
        """Load the model in the worker."""
        self.predictor = open_predictor()

    def decode_request(self, request: Request) -> Pixels:
        """From the form's file to pixels; what is declared a request comes as the form that it holds."""
        form = cast(dict[str, UploadFile], request)
        return self.predictor.prepare(form["file"].file.read())

    def batch(self, inputs: list[Pixels]) -> PixelBatch:
        """Join pictures."""
        return np.stack(inputs)

    def predict(self, x: PixelBatch) -> list[dict[str, Any]]:
        """Run the model."""
        return answers(self.predictor, x)

    def unbatch(self, output: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """An answer a picture."""
        return output

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        """The answer is JSON already."""
        return output


if __name__ == "__main__":
    api = Api(max_batch_size=MAX_BATCH, batch_timeout=0.01, api_path="/classify")
    ls.LitServer(api, accelerator="cpu").run(
        host="127.0.0.1", port=port(), generate_client_file=False, log_level="warning"
    )
