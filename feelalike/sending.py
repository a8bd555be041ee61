"""Sending calls and batches of them, with all their attempts; what they mean stands in client.py and aio.py."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self, TypeVar

import httpx2

from feelalike import calls
from feelalike.batches import Gathered, Packer
from feelalike.calls import Call
from feelalike.errors import PictureRefusedError
from feelalike.exchange import Exchange, checked_url, request_of
from feelalike.models import Batch, Item, Limits
from feelalike.pictures import PictureSource, read_picture
from feelalike.retries import Retries

A = TypeVar("A")
ItemT = TypeVar("ItemT", bound=Item)


class Sender:
    """Sends, and waits for the answers."""

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8000",
        *,
        token: str | None = None,
        admin_token: str | None = None,
        timeout_s: float = 60.0,
        retries: Retries | None = None,
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = httpx2.Client(base_url=checked_url(base_url), timeout=timeout_s, transport=transport)
        self._token = token
        self._admin_token = admin_token
        self._retries = retries or Retries()
        self._sleep = sleep
        self._rng = random.Random()  # noqa: S311 - of waits alone
        self._limits: Limits | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _items(
        self,
        pictures: Iterable[PictureSource],
        make: Callable[[Sequence[bytes]], Call[Batch[ItemT]]],
        kind: type[ItemT],
    ) -> Iterator[ItemT]:
        packer = Packer(self._batch_limits())
        for picture in pictures:
            yield from self._batch(packer.add(read_picture(picture)), make, kind)
        yield from self._batch(packer.rest(), make, kind)

    def _batch(
        self, pictures: list[bytes], make: Callable[[Sequence[bytes]], Call[Batch[ItemT]]], kind: type[ItemT]
    ) -> list[ItemT]:
        gathered: Gathered[ItemT] = Gathered(pictures, self._retries, self._rng)
        while gathered.left:
            wait_s = gathered.take(self._asked(gathered.left, make, kind))
            if wait_s is None:
                break
            self._sleep(wait_s)
        return gathered.items

    def _asked(
        self, pictures: list[bytes], make: Callable[[Sequence[bytes]], Call[Batch[ItemT]]], kind: type[ItemT]
    ) -> list[ItemT]:
        """The items of one request; a picture that went alone has its refusal as an item like the others."""
        try:
            return self._send(make(pictures)).items
        except PictureRefusedError as error:
            if len(pictures) > 1:
                raise
            return [kind(error=error.as_item())]

    def _batch_limits(self) -> Limits:
        if self._limits is None:
            self._limits = self._send(calls.info()).limits
        return self._limits

    def _send(self, call: Call[A]) -> A:
        exchange = Exchange(call, self._retries, self._rng)
        request = request_of(call, self._token, self._admin_token)
        while True:
            try:
                response = self._http.request(**request)
            except httpx2.TransportError as error:
                self._sleep(exchange.failed(error))
                continue
            wait_s = exchange.answered(response)
            if wait_s is None:
                return exchange.read(response)
            self._sleep(wait_s)


class AsyncSender:
    """The same for asyncio."""

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8000",
        *,
        token: str | None = None,
        admin_token: str | None = None,
        timeout_s: float = 60.0,
        retries: Retries | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._http = httpx2.AsyncClient(base_url=checked_url(base_url), timeout=timeout_s, transport=transport)
        self._token = token
        self._admin_token = admin_token
        self._retries = retries or Retries()
        self._sleep = sleep
        self._rng = random.Random()  # noqa: S311 - of waits alone
        self._limits: Limits | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _items(
        self,
        pictures: Iterable[PictureSource],
        make: Callable[[Sequence[bytes]], Call[Batch[ItemT]]],
        kind: type[ItemT],
    ) -> AsyncIterator[ItemT]:
        packer = Packer(await self._batch_limits())
        for picture in pictures:
            for item in await self._batch(packer.add(await asyncio.to_thread(read_picture, picture)), make, kind):
                yield item
        for item in await self._batch(packer.rest(), make, kind):
            yield item

    async def _batch(
        self, pictures: list[bytes], make: Callable[[Sequence[bytes]], Call[Batch[ItemT]]], kind: type[ItemT]
    ) -> list[ItemT]:
        gathered: Gathered[ItemT] = Gathered(pictures, self._retries, self._rng)
        while gathered.left:
            wait_s = gathered.take(await self._asked(gathered.left, make, kind))
            if wait_s is None:
                break
            await self._sleep(wait_s)
        return gathered.items

    async def _asked(
        self, pictures: list[bytes], make: Callable[[Sequence[bytes]], Call[Batch[ItemT]]], kind: type[ItemT]
    ) -> list[ItemT]:
        """The items of one request; a picture that went alone has its refusal as an item like the others."""
        try:
            return (await self._send(make(pictures))).items
        except PictureRefusedError as error:
            if len(pictures) > 1:
                raise
            return [kind(error=error.as_item())]

    async def _batch_limits(self) -> Limits:
        if self._limits is None:
            self._limits = (await self._send(calls.info())).limits
        return self._limits

    async def _send(self, call: Call[A]) -> A:
        exchange = Exchange(call, self._retries, self._rng)
        request = request_of(call, self._token, self._admin_token)
        while True:
            try:
                response = await self._http.request(**request)
            except httpx2.TransportError as error:
                await self._sleep(exchange.failed(error))
                continue
            wait_s = exchange.answered(response)
            if wait_s is None:
                return exchange.read(response)
            await self._sleep(wait_s)
