"""Turns pictures away at the door: when they would find no room, before any of their bytes is waited for."""

from time import perf_counter
from typing import Final

from fastapi import FastAPI

from service.access import Tokens
from service.deps import Services
from service.errors import OverloadedError, answer_for
from service.logs import request_id_var
from service.records import record, request_id
from service.refusals import refusal
from service.security_headers import HeaderList
from service.settings import ServiceSettings

PICTURE_ROUTES: Final = ("/classify", "/search")


class Gate:
    """Refuses a request by its head, outside of the app.

    A service with four times the work that it can do refuses three requests of four, so a refusal has to be cheap: this
    one costs a fraction of what the framework takes to come to the same. Where it lets a request pass that finds no
    room, the route refuses it.

    Args:
        web: its services say whether there is room.
        settings: what they were made with.
    """

    def __init__(self, web: FastAPI, settings: ServiceSettings) -> None:
        self._web = web
        self._tokens = Tokens(settings) if settings.read_token is not None else None
        self._counts_clients = settings.rate_limit_per_s is not None
        """The app does, and it comes first: who may ask no more is told so."""
        self._root_path = settings.root_path
        roots = {"", settings.root_path}  # which the proxy may have taken off, or not
        self._routes = {f"{root}{route}".encode(): route for route in PICTURE_ROUTES for root in roots}

    def refusal(self, method: bytes, url: bytes, headers: HeaderList) -> bytes | None:
        """The whole answer for a picture that would find no room; None for whatever may pass.

        Args:
            method: of the request.
            url: its target: a path, and perhaps a query.
            headers: names in lower case.
        """
        if method != b"POST" or self._counts_clients:
            return None
        start = perf_counter()
        route = self._routes.get(url.partition(b"?")[0])
        if route is None:
            return None
        services: Services = self._web.state.services
        try:
            services.pipeline.check_room()
        except OverloadedError as error:
            if self._tokens is not None and self._tokens.holder({"type": "http", "headers": headers}) is None:
                return None
            return self._refused(services, error, route, headers, start)
        return None

    def _refused(
        self, services: Services, error: OverloadedError, route: str, headers: HeaderList, start: float
    ) -> bytes:
        own_id, answer = request_id(headers), answer_for(error)
        content = refusal(answer, str(error), own_id, is_closed=self._tokens is not None)
        token = request_id_var.set(own_id)
        record(
            services.metrics,
            "POST",
            self._root_path + route,
            route=route,
            status=answer.status,
            seconds=perf_counter() - start,
            code=answer.code,
        )
        request_id_var.reset(token)
        return content
