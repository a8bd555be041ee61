"""HTTP/1.1 by httptools, which parses in C what h11 parses in Python; with a bound on heads, as h11 has one."""

import asyncio
from typing import Final

from uvicorn.protocols.http.auto import AutoHTTPProtocol
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_HEAD_BYTES: Final = 64 * 1024


def http_protocol() -> type[asyncio.Protocol]:
    """The protocol to serve with: h11's, which is slower, where httptools is not installed."""
    return AutoHTTPProtocol if AutoHTTPProtocol is H11Protocol else _bounded_protocol()


def _bounded_protocol() -> type[asyncio.Protocol]:
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

    class BoundedProtocol(HttpToolsProtocol):
        """Ends a connection whose client only goes on and never comes to the point.

        Httptools keeps headers and trailers until they are complete, however long they are.
        """

        _n_aimless_bytes = 0
        _came_to_a_point = False

        def data_received(self, data: bytes) -> None:
            self._came_to_a_point = False
            super().data_received(data)
            self._n_aimless_bytes = 0 if self._came_to_a_point else self._n_aimless_bytes + len(data)
            if self._n_aimless_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
                self._refuse_head()

        def on_headers_complete(self) -> None:
            self._came_to_a_point = True
            super().on_headers_complete()

        def on_body(self, body: bytes) -> None:
            self._came_to_a_point = True
            super().on_body(body)

        def on_message_complete(self) -> None:
            self._came_to_a_point = True
            super().on_message_complete()

        def _refuse_head(self) -> None:
            if self.cycle is None or self.cycle.response_complete:
                self.send_400_response("The head of the request is too long.")
            else:  # a request is being answered: some of its answer may be out
                self.transport.close()

    return BoundedProtocol
