"""The OpenAPI document: FastAPI's own, with our problems in place of its validation errors, examples, limits."""

from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI

from service.access import OPEN
from service.examples import EXAMPLES
from service.problems import MEDIA_TYPE, problem_docs
from service.schemas import Problem
from service.settings import ServiceSettings

_ANYWHERE: Final = problem_docs(HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS)
"""What every route but the probes may answer, where a read token or a limit of requests is set."""
_REQUEST_ID: Final = {"$ref": "#/components/headers/RequestId"}
_FASTAPI_ERRORS = ("HTTPValidationError", "ValidationError")


def documented(app: FastAPI, settings: ServiceSettings) -> Callable[[], dict[str, Any]]:
    """What to put in the place of `app.openapi`."""
    original = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = original()
            _correct(document, settings)
            app.openapi_schema = document
        return app.openapi_schema

    return openapi


def _correct(document: dict[str, Any], settings: ServiceSettings) -> None:
    schemas = document["components"]["schemas"]
    for name in _FASTAPI_ERRORS:
        schemas.pop(name, None)
    schemas["Problem"] = Problem.model_json_schema()
    document["components"]["headers"] = {
        "RequestId": {
            "description": "As it stands in the log; the request's own X-Request-ID, if it had a sane one.",
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
        }
    }
    for method, path, operation in _operations(document):
        responses = operation["responses"]
        if (method, path) in EXAMPLES:
            # Not through FastAPI's `responses=`, which drops every null of an example.
            success = next(response for status, response in responses.items() if status.startswith("2"))
            success["content"]["application/json"]["example"] = EXAMPLES[method, path]
        if path not in OPEN:
            for status, refusal in _ANYWHERE.items():
                responses.setdefault(str(status), refusal)
        for response in responses.values():
            response.setdefault("headers", {})["X-Request-ID"] = _REQUEST_ID
        if MEDIA_TYPE not in responses.get("422", {}).get("content", {}):
            responses.pop("422", None)  # FastAPI adds one to every route with a parameter, needed or not
        for parameter in operation.get("parameters", ()):
            if parameter["name"] == "k":
                limits = {"minimum": 1, "maximum": settings.max_k, "default": settings.default_k}
                parameter["schema"] = {"type": "integer", "title": "K", **limits}


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation
