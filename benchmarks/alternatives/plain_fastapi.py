"""A FastAPI handler that takes a lock and runs the model: what one writes in ten minutes."""

import threading
from typing import Any

import uvicorn
from fastapi import FastAPI, UploadFile

from benchmarks.alternatives.model import answers, open_predictor, port


def make_app() -> FastAPI:
    """Handlers run in the framework's threads: decoding overlaps, the model has one of them at a time."""
    app, predictor, lock = FastAPI(), open_predictor(), threading.Lock()

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/classify")
    def classify(file: UploadFile) -> dict[str, Any]:
        pixels = predictor.prepare(file.file.read())
        with lock:
            return answers(predictor, pixels[None])[0]

    return app


if __name__ == "__main__":
    uvicorn.run(make_app(), host="127.0.0.1", port=port(), log_level="warning")
