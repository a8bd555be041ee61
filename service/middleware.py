"""Around every request: its id, security headers, a log line, counters, and a last net for unforeseen errors."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.addresses import route_path, under, without_host
from service.logs import request_id_var
from service.metrics import Metrics
from service.problems import internal_problem
from service.records import REQUEST_ID, record, request_id
from service.security_headers import CSP, security_headers

STATUS_CLIENT_GONE: Final = 499
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
        self._headers = security_headers(is_closed=is_closed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = under(scope, self._root_path)
        exchange = _Exchange(request_id(scope["headers"]), route_path(scope))
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
        record(
            self._metrics,
            scope["method"],
            scope["path"],
            route=getattr(scope.get("route"), "path", None) or "unmatched",
            status=exchange.status or 500,
            seconds=seconds,
            code=scope["state"].get("problem_code"),
        )

    def _more_headers(self, message: Message, exchange: _Exchange) -> Iterator[tuple[bytes, bytes]]:
        """Those that an answer lacks; one that a route has set stays."""
        present = {name for name, _ in message.get("headers", ())}
        yield REQUEST_ID, exchange.request_id.encode()
        for header in (*self._headers, (b"content-security-policy", _CSP_DOCS if exchange.path == "/docs" else CSP)):
            if header[0] not in present:
                yield header
        if (exchange.path == "/" or exchange.path.startswith("/static/")) and b"cache-control" not in present:
            # The page asks again at every visit (an ETag answers), so an update is seen at once.
            yield b"cache-control", b"no-cache"


def _own_headers(message: Message) -> Iterator[tuple[bytes, bytes]]:
    for name, value in message.get("headers", ()):
        yield name, without_host(value) if name == b"location" else value
