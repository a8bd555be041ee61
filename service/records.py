"""What is kept of every request: its id, a line in the log, counters."""

import logging
import random
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from service.metrics import Metrics

REQUEST_ID: Final = b"x-request-id"
_SANE_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_PROBES = frozenset({"/livez", "/readyz", "/metrics"})

_log = logging.getLogger("feelalike.http")


def request_id(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The id that a request brings, if it is a sane one, or a new one."""
    given = next((value for name, value in headers if name == REQUEST_ID), b"")
    return given.decode() if _SANE_ID.fullmatch(given) else new_id()


def new_id() -> str:
    """No secret, so not from the system: asking it lets other threads in, and the event loop waits for its turn."""
    return f"{random.getrandbits(128):032x}"


def record(
    metrics: Metrics, method: str, path: str, *, route: str, status: int, seconds: float, code: str | None = None
) -> None:
    """Log and count an answered request; the id in the log is the one of the context.

    Args:
        metrics: of the app.
        method: of the request.
        path: as asked for.
        route: the path's template, which clients cannot make up.
        status: of the answer.
        seconds: from the request's head to the answer's end.
        code: of a refusal.
    """
    metrics.request(method, route, status, seconds)
    if code is not None:
        metrics.refusal(code)
    level = logging.DEBUG if route in _PROBES and status < 400 else logging.INFO
    if not _log.isEnabledFor(level):
        return
    # Percent-encoded, so that no client can write a line of its own into the log.
    suffix = f" code={code}" if code is not None else ""
    _log.log(level, "%s %s %d %.0f ms%s", method, quote(path), status, 1000 * seconds, suffix)
