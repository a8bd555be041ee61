"""The headers that tell a browser what it may do with an answer."""

from typing import Final

HeaderList = list[tuple[bytes, bytes]]

CSP: Final = (
    b"default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
    b"form-action 'self'; frame-ancestors 'none'"
)
_OPEN: Final = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
]
# A browser sends the read token by itself, also for a picture on another site's page.
_CLOSED: Final = [*_OPEN, (b"cross-origin-resource-policy", b"same-origin")]


def security_headers(*, is_closed: bool) -> HeaderList:
    """Those of every answer, beside its content security policy; `is_closed`: reading needs a token."""
    return _CLOSED if is_closed else _OPEN
