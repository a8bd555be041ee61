"""HTTP/1.1 by httptools, which parses in C what h11 parses in Python; with bounds on what a client may hold on to.

Whatever is no request is told so as every other refusal is, with a request id: no app sees it. Nor does one see the
pictures that a gate turns away.
"""

import asyncio
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.errors import http_answer
from service.logs import request_id_var
from service.records import new_id
from service.refusals import CLOSING, refusal

if TYPE_CHECKING:
    from service.gate import Gate

MAX_HEAD_BYTES: Final = 64 * 1024
HEAD_TOO_LONG: Final = "The head of the request is too long."

_log = logging.getLogger("feelalike.http")


class ConnectionLimits(NamedTuple):
    """What clients may hold on to."""

    most: int = 1000
    """Connections; for one more the one is closed that has idled longest."""
    head_s: float = 15.0
    """From the first byte of a request, or the connection's beginning, to the end of its head."""
    body_s: float = 60.0
    """For the rest of a body after its answer, which is read past."""
    stall_s: float = 60.0
    """Without taking anything of an answer."""


class BoundedProtocol(HttpToolsProtocol):
    """Ends a connection whose client only goes on and never comes to the point, or does nothing at all.

    Httptools keeps headers and trailers until they are complete, however long they are; uvicorn waits for them
    however long they take, and for a client that does not read its answer.
    """

    limits = ConnectionLimits()
    gate: "Gate | None" = None

    _n_aimless_bytes = 0
    _came_to_a_point = False
    _is_reading_body = False
    _is_turned_away = False
    """The request at hand has its answer, and what comes of it is read past: to close the connection with bytes unread
    would reset it, and the client might never see the answer."""
    _idle_since = 0.0
    _patience: asyncio.TimerHandle | None = None
    """Ends the connection unless what it waits for comes: a head, the rest of a body."""
    _stall: asyncio.TimerHandle | None = None
    """Likewise, for a client that takes nothing of its answer."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has to begin, and one too many costs another its place."""
        super().connection_made(cast(asyncio.Transport, transport))
        self._idle_since = self.loop.time()
        self._wait(self.limits.head_s)
        if len(self.connections) > self.limits.most:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._stop_waiting()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what leads to nothing."""
        self._came_to_a_point = False
        super().data_received(data)
        self._n_aimless_bytes = 0 if self._came_to_a_point else self._n_aimless_bytes + len(data)
        if self._n_aimless_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response(HEAD_TOO_LONG)
        elif self._patience is None and not self._is_answering and not self._is_reading_body:
            self._wait(self.limits.head_s)

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._came_to_a_point = self._is_reading_body = True
        self._stop_waiting()
        answer = self._refusal()
        self._is_turned_away = answer is not None
        if answer is None:
            super().on_headers_complete()
        else:
            self.transport.write(answer)
            self.on_response_complete()

    def on_body(self, body: bytes) -> None:
        """Some of a body is there."""
        self._came_to_a_point = True
        if not self._is_turned_away:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """All of the request is there."""
        self._came_to_a_point = True
        self._is_reading_body = False
        self._stop_waiting()
        if not self._is_turned_away:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """What is left of a body has its time from here on."""
        super().on_response_complete()
        self._idle_since = self.loop.time()
        if self._is_reading_body:
            self._wait(self.limits.body_s)

    def pause_writing(self) -> None:
        """The client takes nothing: give it so long."""
        super().pause_writing()
        self._stall = self.loop.call_later(self.limits.stall_s, self.transport.abort)

    def resume_writing(self) -> None:
        """It takes something."""
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request, as a problem."""
        if self._is_answering:  # some of an answer may be out
            self.transport.close()
            return
        request_id, answer = new_id(), http_answer(HTTPStatus.BAD_REQUEST)
        self.transport.write(refusal(answer, msg, request_id, CLOSING))
        self.transport.close()
        token = request_id_var.set(request_id)
        _log.info("no request %d code=%s: %s", answer.status, answer.code, msg)
        request_id_var.reset(token)

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing for the log: the request is answered as the plain one that it also is."""

    def _refusal(self) -> bytes | None:
        """For a plain request of a connection that goes on, with no other before it; the app knows about the rest."""
        if self.gate is None or self._is_answering or self.expect_100_continue:
            return None
        if self.parser.should_upgrade() or not self.parser.should_keep_alive():
            return None
        return self.gate.refusal(self.parser.get_method(), self.url, self.headers)

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _make_room(self) -> None:
        """Close whoever has idled longest; if none idles, this one, which nothing has been heard of yet."""
        open_ = [one for one in self.connections if isinstance(one, BoundedProtocol) and one._is_open]
        if len(open_) > self.limits.most:
            idle = [one for one in open_ if not one._is_answering]
            min(idle, key=lambda one: one._idle_since).transport.close()

    @property
    def _is_open(self) -> bool:
        return not self.transport.is_closing()

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._patience = self.loop.call_later(seconds, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


def http_protocol(limits: ConnectionLimits, gate: "Gate | None" = None) -> type[asyncio.Protocol]:
    """The protocol to serve with; uvicorn makes one for each connection and has no way to hand it anything."""
    return type("LimitedProtocol", (BoundedProtocol,), {"limits": limits, "gate": gate})
