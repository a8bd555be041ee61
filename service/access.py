"""Who may use the service at all: the read token, where one is set."""

import base64
import binascii
import hmac
from typing import Final

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.addresses import route_path
from service.errors import ReadTokenMissingError, answer_for
from service.problems import problem
from service.settings import ServiceSettings, variable

OPEN: Final = frozenset({"/livez", "/readyz"})
"""What asks these has no place to keep a token in; they tell nothing of the gallery."""


class ReadAccess:
    """ASGI middleware, inside of RequestContext: without a token nothing but the probes is answered.

    Programs send `Authorization: Bearer TOKEN`. A browser asks for it by itself (Basic: any name, the token is the
    password) and sends it with every picture of the page, which a script could not. The admin token reads too; the
    admin routes take theirs as Bearer alone, because what a browser sends by itself any other site can make it send.
    """

    def __init__(self, app: ASGIApp, settings: ServiceSettings) -> None:
        self._app = app
        secrets = (settings.read_token, settings.admin_token) if settings.read_token is not None else ()
        self._tokens = [secret.get_secret_value().encode() for secret in secrets if secret is not None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let pass."""
        if scope["type"] == "http" and self._tokens and route_path(scope) not in OPEN and not self._may_read(scope):
            error = ReadTokenMissingError(
                "this service needs a token: Authorization: Bearer TOKEN, or in a browser any name and the token as "
                f"password; it is the {variable('read_token')} of the service"
            )
            await problem(Request(scope), answer_for(error), str(error))(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _may_read(self, scope: Scope) -> bool:
        given = _given(Headers(scope=scope).get("Authorization", ""))
        # All are compared, so that the time tells nothing of which one it was not.
        return sum(hmac.compare_digest(given, token) for token in self._tokens) > 0


def _given(authorization: str) -> bytes:
    """The token of a header; empty, which is no token, where there is none."""
    scheme, _, rest = authorization.partition(" ")
    match scheme.lower():
        case "bearer":
            return rest.strip().encode()
        case "basic":
            try:
                return base64.b64decode(rest.strip(), validate=True).partition(b":")[2]
            except binascii.Error:
                return b""
    return b""
