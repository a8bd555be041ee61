"""Around every request: its id, security headers, a log line, counters, and a last net for unforeseen errors."""

import json
import logging
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from time import perf_counter
from typing import Final
from urllib.parse import quote

from fastapi import Request
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.addresses import route_path, under, without_host
from service.errors import http_answer
from service.logs import request_id_var
from service.metrics import Metrics
from service.problems import MEDIA_TYPE, internal_problem, problem_content

REQUEST_ID: Final = "X-Request-ID"
_REQUEST_ID: Final = REQUEST_ID.lower().encode()
STATUS_CLIENT_GONE: Final = 499
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PROBES = frozenset({"/livez", "/readyz", "/metrics"})

_SECURITY_HEADERS: Final = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
]
# A browser sends the read token by itself, also for a picture on another site's page.
_CLOSED_HEADERS: Final = [*_SECURITY_HEADERS, (b"cross-origin-resource-policy", b"same-origin")]
_CSP: Final = (
    b"default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
    b"form-action 'self'; frame-ancestors 'none'"
)
# Swagger UI comes from FastAPI's CDN and starts itself with an inline script; nothing else needs an outside address.
_CSP_DOCS: Final = (
    b"default-src 'self'; script-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net; "
    b"style-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net; "
    b"img-src 'self' data: blob: https://fastapi.tiangolo.com; object-src 'none'; base-uri 'none'; "
    b"frame-ancestors 'none'"
)

_log = logging.getLogger("feelalike.http")


@dataclass
class _Exchange:
    """A request being answered."""

    request_id: str
    path: str
    status: int | None = None


class RequestContext:
    """ASGI middleware; must be the outermost but for the one that believes proxies.

    Args:
        app: what answers.
        metrics: told of every request.
        root_path: the path under which a proxy shows the service; what is inside sees every request under it.
        is_closed: whether reading needs a token.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, root_path: str = "", *, is_closed: bool = False) -> None:
        self._app = app
        self._metrics = metrics
        self._root_path = root_path
        self._headers = _CLOSED_HEADERS if is_closed else _SECURITY_HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = under(scope, self._root_path)
        exchange = _Exchange(_request_id(Headers(scope=scope)), route_path(scope))
        scope.setdefault("state", {})["request_id"] = exchange.request_id
        token = request_id_var.set(exchange.request_id)
        start = perf_counter()
        try:
            await self._answer(scope, receive, send, exchange)
        finally:
            self._record(scope, exchange, perf_counter() - start)
            request_id_var.reset(token)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, exchange: _Exchange) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message["headers"] = [*_own_headers(message), *self._more_headers(message, exchange)]
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except ClientDisconnect:
            exchange.status = STATUS_CLIENT_GONE
        except Exception:
            _log.exception("unforeseen error")
            if exchange.status is None:
                await internal_problem(Request(scope))(scope, receive, send_with_headers)

    def _record(self, scope: Scope, exchange: _Exchange, seconds: float) -> None:
        status = exchange.status or 500
        code = scope["state"].get("problem_code")
        route = getattr(scope.get("route"), "path", None) or scope["state"].get("route_path", "unmatched")
        self._metrics.request(scope["method"], route, status, seconds)
        if code is not None:
            self._metrics.refusal(code)
        level = logging.DEBUG if route in _PROBES and status < 400 else logging.INFO
        if not _log.isEnabledFor(level):
            return
        # Percent-encoded, so that no client can write a line of its own into the log.
        path = quote(scope["path"])
        suffix = f" code={code}" if code is not None else ""
        _log.log(level, "%s %s %d %.0f ms%s", scope["method"], path, status, 1000 * seconds, suffix)

    def _more_headers(self, message: Message, exchange: _Exchange) -> Iterator[tuple[bytes, bytes]]:
        """Those that an answer lacks; one that a route has set stays."""
        present = {name for name, _ in message.get("headers", ())}
        yield _REQUEST_ID, exchange.request_id.encode()
        for header in (*self._headers, (b"content-security-policy", _CSP_DOCS if exchange.path == "/docs" else _CSP)):
            if header[0] not in present:
                yield header
        if (exchange.path == "/" or exchange.path.startswith("/static/")) and b"cache-control" not in present:
            # The page asks again at every visit (an ETag answers), so an update is seen at once.
            yield b"cache-control", b"no-cache"


def refusal_bytes(detail: str) -> bytes:
    """The whole answer to bytes that are no request, which no app sees; and its line in the log."""
    answer, request_id = http_answer(HTTPStatus.BAD_REQUEST), _new_id()
    body = json.dumps(problem_content(answer, detail, request_id)).encode()
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        (_REQUEST_ID, request_id.encode()),
        *_SECURITY_HEADERS,
        (b"content-security-policy", _CSP),
    ]
    token = request_id_var.set(request_id)
    _log.info("no request %d code=%s: %s", answer.status, answer.code, detail)
    request_id_var.reset(token)
    lines = [b"HTTP/1.1 400 Bad Request", *(b": ".join(header) for header in headers), b"", body]
    return b"\r\n".join(lines)


def _new_id() -> str:
    """No secret, so not from the system: asking it lets other threads in, and the event loop waits for its turn."""
    return f"{random.getrandbits(128):032x}"


def _request_id(headers: Headers) -> str:
    given = headers.get(REQUEST_ID, "")
    return given if _SANE_ID.fullmatch(given) else _new_id()


def _own_headers(message: Message) -> Iterator[tuple[bytes, bytes]]:
    for name, value in message.get("headers", ()):
        yield name, without_host(value) if name == b"location" else value
