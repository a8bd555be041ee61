"""Turns pictures away at the door: when they would find no room, before any of their bytes is waited for."""

from typing import Final

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.addresses import route_path
from service.errors import OverloadedError, answer_for
from service.problems import problem

PICTURE_ROUTES: Final = frozenset({"/classify", "/search"})


class Gate:
    """ASGI middleware, inside of RequestContext.

    A service with four times the work that it can do refuses three requests of four, so a refusal has to be cheap: this
    one costs a third of one by the route. The connection stays open and its body is read past: to close it with bytes
    unread would reset it, and the client might never see the answer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let pass."""
        if scope["type"] == "http" and scope["method"] == "POST" and route_path(scope) in PICTURE_ROUTES:
            try:
                scope["app"].state.services.pipeline.check_room()
            except OverloadedError as error:
                scope["state"]["route_path"] = route_path(scope)
                await problem(Request(scope), answer_for(error), str(error))(scope, receive, send)
                return
        await self._app(scope, receive, send)
