"""So many requests a second of each client, and so many at once: where a limit is set, the next one is answered 429."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.access import OPEN, Tokens
from service.addresses import route_path
from service.errors import RateLimitedError, answer_for
from service.problems import problem
from service.settings import RateLimitBy

MAX_CLIENTS: Final = 50_000
"""Remembered at a time, about 10 MB; whoever is forgotten begins anew with a full burst."""
_LONGEST_NAME: Final = 64
_IPV6_PREFIX: Final = 64


class RateLimiter:
    """A token bucket for every client, kept as the one moment at which it will be full again (GCRA).

    Lives in one event loop. Full buckets are forgotten; so many clients that they do not fit, the longest silent first.

    Args:
        per_s: tokens that flow into each bucket in a second.
        burst: tokens that it holds, and holds at first.
        clock: seconds, as time.monotonic gives them.
    """

    def __init__(self, per_s: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval_s = 1 / per_s
        self._burst_s = burst / per_s
        self._clock = clock
        self._full_at: OrderedDict[str, float] = OrderedDict()

    @property
    def n_clients(self) -> int:
        """Clients remembered."""
        return len(self._full_at)

    def wait_s(self, client: str) -> float:
        """Take a token from a client's bucket; how long until there is one, if there is none, else 0."""
        now = self._clock()
        full_at = max(self._full_at.get(client, now), now) + self._interval_s
        wait_s = full_at - now - self._burst_s
        if wait_s > 1e-9:  # a whole burst, summed up, may come out a rounding error longer
            return wait_s
        self._full_at[client] = full_at
        self._full_at.move_to_end(client)
        self._forget(now)
        return 0.0

    def _forget(self, now: float) -> None:
        """Two at most for the one that came, so that no request pays for many."""
        for _ in range(2):
            longest_silent = next(iter(self._full_at))
            if self._full_at[longest_silent] > now and len(self._full_at) <= MAX_CLIENTS:
                return
            del self._full_at[longest_silent]


class RateLimit:
    """ASGI middleware, inside of RequestContext and outside of ReadAccess: guesses at the token count too.

    Args:
        app: what answers.
        limiter: counts.
        by: what a client is. By `token`, all who bring the same one of the service's tokens are one client, wherever
            they are; who brings none, or another, goes by address, or every guess would have a burst of its own.
        tokens: the service's.
    """

    def __init__(self, app: ASGIApp, limiter: RateLimiter, by: RateLimitBy, tokens: Tokens) -> None:
        self._app = app
        self._limiter = limiter
        self._by = by
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let pass."""
        if scope["type"] == "http" and route_path(scope) not in OPEN:
            wait_s = self._limiter.wait_s(self._client(scope))
            if wait_s > 0:
                error = RateLimitedError("too many requests from this client; wait as long as Retry-After says")
                answer = answer_for(error)._replace(headers={"Retry-After": str(math.ceil(wait_s))})
                await problem(Request(scope), answer, str(error))(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _client(self, scope: Scope) -> str:
        holder = self._tokens.holder(scope) if self._by is RateLimitBy.TOKEN else None
        return f"token {holder}" if holder else client_address(scope)


def client_address(scope: Scope) -> str:
    """A client by its address; of an IPv6 one the network, of which every client has a whole one to choose from."""
    client = scope.get("client")
    host = str(client[0]) if client else ""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:  # what a trusted proxy wrote, or no socket at all
        return host[:_LONGEST_NAME]
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or ip_network((int(address), _IPV6_PREFIX), strict=False))
    return str(address)
