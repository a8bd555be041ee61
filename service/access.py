"""Who may use the service at all: the read token, where one is set."""

import base64
import binascii
import hmac
from typing import Final

from fastapi import Request
from fastapi.responses import HTMLResponse
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from service.addresses import route_path
from service.errors import ReadTokenMissingError, answer_for
from service.problems import problem
from service.settings import ServiceSettings, variable

OPEN: Final = frozenset({"/livez", "/readyz"})
"""What asks these has no place to keep a token in; they tell nothing of the gallery."""


_CLOSED_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>feelalike: closed</title></head>
<body><main><h1>This service is closed</h1>
<p>It needs a token, which whoever runs it can give you. <a href="">Reload</a>, and where the browser asks give any
name, and the token as password.</p></main></body></html>
"""
"""For people who closed the browser's dialogue; it stands alone, because everything else is closed too."""


class Tokens:
    """The tokens of a service, and whose a request brings."""

    def __init__(self, settings: ServiceSettings) -> None:
        secrets = {"read": settings.read_token, "admin": settings.admin_token}
        self._tokens = {name: secret.get_secret_value().encode() for name, secret in secrets.items() if secret}

    def holder(self, scope: Scope) -> str | None:
        """`read` or `admin`; None without a token, or with another."""
        given = _given(Headers(scope=scope).get("Authorization", ""))
        # All are compared, so that the time tells nothing of which one it was not.
        found = [name for name, token in self._tokens.items() if hmac.compare_digest(given, token)]
        return found[0] if found else None


class ReadAccess:
    """ASGI middleware, inside of RequestContext: without a token nothing but the probes is answered.

    Programs send `Authorization: Bearer TOKEN`. A browser asks for it by itself (Basic: any name, the token is the
    password) and sends it with every picture of the page, which a script could not. The admin token reads too; the
    admin routes take theirs as Bearer alone, because what a browser sends by itself any other site can make it send.
    """

    def __init__(self, app: ASGIApp, tokens: Tokens) -> None:
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let pass."""
        if scope["type"] == "http" and route_path(scope) not in OPEN and self._tokens.holder(scope) is None:
            error = ReadTokenMissingError(
                "this service needs a token: Authorization: Bearer TOKEN, or in a browser any name and the token as "
                f"password; it is the {variable('read_token')} of the service"
            )
            answer: Response = problem(Request(scope), answer_for(error), str(error))
            if route_path(scope) == "/" and "text/html" in Headers(scope=scope).get("Accept", ""):
                challenge = {"WWW-Authenticate": answer.headers["WWW-Authenticate"]}
                answer = HTMLResponse(_CLOSED_PAGE, answer.status_code, challenge)
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)


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
