"""Sending a file that is open already."""

import asyncio
from typing import Final

from fastapi import Response
from starlette.types import Receive, Scope, Send

from service.pictures import Original

_CHUNK_BYTES: Final = 64 * 1024


class OpenFileResponse(Response):
    """Sends an original whole, even if it is deleted meanwhile; the framework's FileResponse opens after the head."""

    def __init__(self, original: Original, headers: dict[str, str]) -> None:
        super().__init__(headers=headers | {"Content-Length": str(original.size_bytes)}, media_type=original.media_type)
        self._stream = original.stream
        self._size_bytes = original.size_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send head and body; the body in pieces, so that many large pictures take little memory."""
        leaving = asyncio.create_task(_client_left(receive))
        try:
            await self._send(send, leaving, is_head=scope["method"] == "HEAD")
        finally:
            leaving.cancel()

    async def _send(self, send: Send, leaving: "asyncio.Task[None]", *, is_head: bool) -> None:
        with self._stream as stream:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            left = 0 if is_head else self._size_bytes
            while left and not leaving.done():
                chunk = await asyncio.to_thread(stream.read, min(left, _CHUNK_BYTES))
                if not chunk:
                    break
                left -= len(chunk)
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _client_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
