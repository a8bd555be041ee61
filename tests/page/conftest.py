"""A browser on a real service: the shipped model, a small painted gallery, one index for all tests of the page.

Without a chromium on this machine the tests are skipped by name.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, expect, sync_playwright

from browsing import CHROMIUM, FLAGS, TIMEOUT_MS, Visits, serving
from conftest import ROOT
from demo.paint import encode_picture, paint_gallery
from emotion.predictor import Predictor
from emotion.runtime import Device
from index.gallery import GalleryRoot
from index.rebuild import rebuild
from index.store import SnapshotStore
from service.app import create_app
from service.settings import ServiceSettings

BUNDLE = ROOT / "models" / "mikels-lite0"
ADMIN_TOKEN = "a token for tests"
N_PAINTED = 40
"""Five of each emotion."""


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Painted pictures, as `make demo` has them."""
    folder = tmp_path_factory.mktemp("page") / "gallery"
    paint_gallery(folder, N_PAINTED)
    return folder


@pytest.fixture(scope="session")
def predictor() -> Predictor:
    """The shipped model, compiled once."""
    return Predictor.open(BUNDLE, Device.CPU)


@pytest.fixture(scope="session")
def store(gallery: Path, predictor: Predictor) -> SnapshotStore:
    """The gallery's index. Tests that change it make one of their own."""
    made = SnapshotStore(gallery.parent / "store")
    rebuild(made, predictor, root=GalleryRoot(path=gallery))
    return made


@pytest.fixture(scope="session")
def make_app(predictor: Predictor) -> Callable[..., FastAPI]:
    """An app of the shipped model over a store, with other settings where they are given."""

    def make(store: Path, **changes: Any) -> FastAPI:
        given = {"bundle": BUNDLE, "store": store, "device": "cpu", "admin_token": ADMIN_TOKEN, "poll_interval_s": 0.1}
        return create_app(ServiceSettings(**(given | changes)), predictor=predictor)

    return make


@pytest.fixture(scope="session")
def service_url(store: SnapshotStore, make_app: Callable[..., FastAPI]) -> Iterator[str]:
    """A service that answers for the painted gallery."""
    with serving(make_app(store.root)) as url:
        yield url


@pytest.fixture(scope="session")
def painting(gallery: Path) -> Path:
    """A picture that the gallery does not hold."""
    path = gallery.parent / "new.jpg"
    path.write_bytes(encode_picture("awe", 1, seed=99))
    return path


# Not for the whole session: while Playwright runs the main thread has an event loop, and other tests want their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; skips where there is none."""
    if CHROMIUM is None:
        pytest.skip("no chromium, chromium-browser or google-chrome on the PATH")
    with sync_playwright() as playwright:
        expect.set_options(timeout=TIMEOUT_MS)
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield found
        found.close()


@pytest.fixture
def visit(browser: Browser, service_url: str) -> Iterator[Visits]:
    """Opens the page; at the end no console may have complained. A test that provokes it clears `visit.complaints`."""
    visits = Visits(browser, service_url)
    yield visits
    visits.close()
    assert visits.complaints == []
