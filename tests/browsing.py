"""What the tests of the page stand on: a service in a thread of its own, and where a chromium is."""

import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, ConsoleMessage, Page, Route

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}
TIMEOUT_MS = 20_000
"""Generous, because a busy machine is slow."""
_START_TIMEOUT_S = 60.0


@contextmanager
def serving(app: FastAPI, port: int = 0) -> Iterator[str]:
    """Serve an app on this machine until the end of the block; gives its URL, without a slash at the end."""
    config = uvicorn.Config(app, ws="none", log_config=None, access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", port))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    end = time.monotonic() + _START_TIMEOUT_S
    while not server.started:
        assert thread.is_alive(), "the service did not start"
        assert time.monotonic() < end, "the service did not start in time"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()


class Visits:
    """Opens pages, each in a browser context of its own, and keeps what their consoles complain of."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.url = url
        self.complaints: list[str] = []
        self._browser = browser
        self._contexts: list[Any] = []

    def __call__(self, path: str = "", *, url: str | None = None, go: bool = True, **options: Any) -> Page:
        """Go to a path of the service, or with `go=False` only make a page; options are those of a context.

        Animations are off, so that nothing has to be waited for.
        """
        options = {"viewport": DESKTOP, "reduced_motion": "reduce", "base_url": url or self.url} | options
        context = self._browser.new_context(**options)
        self._contexts.append(context)
        context.set_default_timeout(TIMEOUT_MS)
        page = context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        if go:
            page.goto(f"/{path}")
        return page

    def close(self) -> None:
        """End all contexts."""
        for context in self._contexts:
            context.close()

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


def ask_about(page: Page, picture: Path) -> None:
    """Choose a picture and wait for its neighbours."""
    page.set_input_files("#file", picture)
    wait_for_results(page)


def wait_for_results(page: Page) -> None:
    """Until the grid holds pictures and no placeholders."""
    page.locator("#grid[aria-busy=false] a.card").first.wait_for()


def ranks(page: Page) -> list[str]:
    """Ids of the results on the page, nearest first."""
    found: list[str] = page.locator("#grid a.card").evaluate_all("cards => cards.map((card) => card.dataset.id)")
    return found


def refused(status: int, code: str, title: str, **headers: str) -> Any:
    """A handler for `page.route` that answers as the service does when it refuses."""
    body = {"title": title, "status": status, "detail": f"{title} here", "code": code, "request_id": "r1"}

    def answer(route: Route) -> None:
        route.fulfill(
            status=status,
            body=json.dumps(body),
            headers={"Content-Type": "application/problem+json", **headers},
        )

    return answer


def rewritten(change: Any) -> Any:
    """A handler for `page.route` that changes the JSON of the service's real answer."""

    def answer(route: Route) -> None:
        response = route.fetch()
        content = response.json()
        change(content)
        route.fulfill(response=response, json=content)

    return answer
