"""Every refusal as application/problem+json (RFC 9457), with a stable `code` and the request id."""

import logging
from collections.abc import Collection, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Route

from emotion.errors import FeelalikeError
from service.errors import INTERNAL, INVALID_PARAMETER, TABLE, Answer, RebuildRunningError, answer_for, http_answer

MEDIA_TYPE: Final = "application/problem+json"
INTERNAL_DETAIL: Final = "something went wrong here; the log has the details under this request id"

Responses = dict[int | str, dict[str, Any]]
"""What a route may answer, by status, as FastAPI takes it."""

_HEADERS: Final[Mapping[str, Any]] = {
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}},
    "WWW-Authenticate": {"description": "Which token is asked for, and how.", "schema": {"type": "string"}},
}

_log = logging.getLogger("feelalike.http")


def install_problem_handlers(app: FastAPI, methods: Mapping[str, Collection[str]]) -> None:
    """Make an app answer all its errors as problems; `methods` are those of each path, for what is refused with 405."""

    async def http_error(request: Request, error: Exception) -> JSONResponse:
        return await _http_error(request, error, methods)

    app.add_exception_handler(FeelalikeError, _own_error)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)


def methods_by_path(routers: Sequence[APIRouter]) -> dict[str, set[str]]:
    """The methods of every path; the framework names those of one route of a path only."""
    methods: dict[str, set[str]] = {}
    for router in routers:
        for route in router.routes:
            if isinstance(route, Route):
                methods.setdefault(route.path, set()).update(route.methods or ())
    return methods


def problem(request: Request, answer: Answer, detail: str, **extra: Any) -> JSONResponse:
    """The response for an answer of the table."""
    request.state.problem_code = answer.code
    content = problem_content(answer, detail, request.state.request_id) | extra
    return JSONResponse(content, answer.status, headers=dict(answer.headers), media_type=MEDIA_TYPE)


def problem_content(answer: Answer, detail: str, request_id: str) -> dict[str, Any]:
    """The body for an answer of the table."""
    return {
        "type": f"urn:feelalike:problem:{answer.code}",
        "title": answer.title,
        "status": answer.status,
        "detail": detail,
        "code": answer.code,
        "request_id": request_id,
    }


def internal_problem(request: Request) -> JSONResponse:
    """The response for an error nobody foresaw: it says nothing of our insides."""
    return problem(request, INTERNAL, INTERNAL_DETAIL)


def problem_docs(*statuses: HTTPStatus) -> Responses:
    """The `responses=` of a route: which refusals it may give, and their codes."""
    return {int(status): _documented(status) for status in statuses}


def _documented(status: HTTPStatus) -> dict[str, Any]:
    answers = [answer for answer in (INTERNAL, *TABLE.values()) if answer.status is status]
    codes = sorted({answer.code for answer in answers})
    headers = sorted({name for answer in answers for name in answer.headers})
    return {
        "description": f"{status.phrase}: {', '.join(codes)}",
        "headers": {name: _HEADERS[name] for name in headers},
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


async def _own_error(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, FeelalikeError):
        raise error
    answer = answer_for(error)
    if answer is INTERNAL:
        _log.error("%s", error, exc_info=error)
        return internal_problem(request)
    extra = {"job_id": error.job_id} if isinstance(error, RebuildRunningError) else {}
    return problem(request, answer, str(error), **extra)


async def _http_error(request: Request, error: Exception, methods: Mapping[str, Collection[str]]) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    answer = http_answer(error.status_code)
    scope = request.scope
    docs = f"{scope.get('app_root_path', scope.get('root_path', ''))}/docs"  # the former inside of a mounted app
    detail = f"no such route: {request.url.path}; {docs} lists them" if error.status_code == 404 else str(error.detail)
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        path = getattr(request.scope.get("route"), "path", "")
        headers |= {"Allow": ", ".join(sorted(methods[path]))} if path in methods else {}
    return problem(request, answer._replace(headers=headers), detail)


async def _invalid_request(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    return problem(request, INVALID_PARAMETER, _readable(error.errors()))


def _readable(errors: Sequence[Mapping[str, Any]]) -> str:
    """Pydantic's list of errors as one sentence: `k: Input should be greater than or equal to 1, not '0'`."""
    parts = []
    for error in errors:
        place = ".".join(str(part) for part in error["loc"][1:]) or str(error["loc"][0])
        given = error.get("input")
        shown = f", not {str(given)[:40]!r}" if isinstance(given, str | int | float) else ""
        parts.append(f"{place}: {error['msg']}{shown}")
    return "; ".join(parts)
