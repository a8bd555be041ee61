"""The admin part of the page: a picture added is found, one deleted is gone, a rebuild is watched to its end."""

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from fastapi import FastAPI
from playwright.sync_api import Page, expect

from browsing import Visits, rewritten, serving, wait_for_results
from conftest import ROOT
from emotion.predictor import Predictor
from index.store import SnapshotStore
from service.app import create_app
from service.settings import ServiceSettings

TOKEN = "a token for tests"

# The real command line. Nothing has to be embedded, so that a fake runtime can stand in for the model.
REBUILD = """
import sys
from pathlib import Path
sys.path[:0] = [{root!r}, {tests!r}]
from fakes import FakeRuntime
from emotion.bundle import load_bundle
from emotion.predictor import Predictor
from index.__main__ import app
arguments = ["build", "--bundle", {bundle!r}, "--store", {store!r}, "--json-progress"]
app(arguments, obj=lambda bundle, device: Predictor(load_bundle(bundle), FakeRuntime()))
"""
ENDLESS = """
import json, time
print(json.dumps({"state": "running", "stage": "map", "done": 3, "total": 9}), flush=True)
time.sleep(600)
"""


@pytest.fixture
def own_store(store: SnapshotStore, tmp_path: Path) -> SnapshotStore:
    """A copy that a test may change."""
    shutil.copytree(store.root, tmp_path / "store")
    return SnapshotStore(tmp_path / "store")


@pytest.fixture
def serve(own_store: SnapshotStore, predictor: Predictor) -> Callable[[str], FastAPI]:
    """Makes an app over the copy with this rebuild script."""

    def make(script: str) -> FastAPI:
        bundle = predictor.bundle.path
        places = {"root": str(ROOT), "tests": str(ROOT / "tests"), "bundle": str(bundle), "store": str(own_store.root)}
        given = {"bundle": bundle, "store": own_store.root, "device": "cpu", "admin_token": TOKEN}
        settings = ServiceSettings(**given, poll_interval_s=0.1)
        command = [sys.executable, "-c", script.format(**places) if script is REBUILD else script]
        return create_app(settings, predictor=predictor, rebuild_command=command)

    return make


@pytest.fixture
def admin_url(serve: Callable[[str], FastAPI]) -> Iterator[str]:
    with serving(serve(REBUILD)) as url:
        yield url


def sign_in(page: Page) -> None:
    page.locator("#admin summary").click()
    page.locator("#token").fill(TOKEN)
    page.locator("#sign-in").click()
    expect(page.locator("#admin-rooms")).to_be_visible()


def axe_finds(page: Page) -> list[Any]:
    return [(rule["id"], rule["nodes"][0]["target"]) for rule in Axe().run(page).response["violations"]]


def test_added_found_rebuilt_and_deleted(visit: Visits, admin_url: str, painting: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    page = visit(url=admin_url)
    sign_in(page)
    page.locator("#add-files").set_input_files([painting, broken])
    page.locator("#add-label").fill("painted late")
    page.locator("#add-go").click()
    expect(page.locator("#add-text")).to_contain_text("1 added, 1 refused.")
    expect(page.locator("#add-items li").nth(1)).to_contain_text("refused: ")
    assert axe_finds(page) == []
    added = page.locator("#add-items a").get_attribute("data-id")

    page.locator("#rebuild").click()
    expect(page.locator("#job-text")).to_contain_text("Done", timeout=60_000)
    expect(page.locator("#job-counts")).to_contain_text("reused")
    assert added in page.evaluate("fetch('map').then((answer) => answer.json())")["ids"]

    page.locator("#add-items a").click()
    wait_for_results(page)
    expect(page.locator("#caption")).to_contain_text("painted late")
    page.locator("#delete-picture").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#delete-picture")).to_be_focused()
    page.locator("#delete-picture").click()
    page.locator("#ask-yes").click()
    expect(page.locator("#query")).to_be_hidden()
    expect(page.locator("#add-items li").first).to_contain_text("deleted")
    assert page.evaluate(f"fetch('images/{added}', {{ cache: 'no-store' }}).then((answer) => answer.status)") == 404
    visit.complaints.clear()  # of that 404


def test_signing_in_holds_for_the_tab_and_a_wrong_token_is_said(visit: Visits, service_url: str) -> None:
    page = visit()
    page.locator("#admin summary").click()
    page.locator("#token").fill("a guess")
    page.locator("#token").press("Enter")
    expect(page.locator("#admin-error")).to_contain_text("The admin token is wrong.")
    expect(page.locator("#token")).to_be_focused()
    page.locator("#token").fill(TOKEN)
    page.locator("#token").press("Enter")
    expect(page.locator("#add-files")).to_be_focused()
    expect(page.locator("#admin-error")).to_be_hidden()
    page.reload()
    expect(page.locator("#admin-short")).to_have_text("signed in")
    assert page.evaluate("localStorage.length") == 0
    page.locator("#admin summary").click()
    page.locator("#rollback").click()
    page.locator("#ask-yes").click()
    expect(page.locator("#admin-error")).to_contain_text("No earlier version")
    page.locator("#sign-out").click()
    expect(page.locator("#token")).to_be_focused()
    assert page.evaluate("sessionStorage.length") == 0
    visit.complaints.clear()  # of the refusals


def test_a_running_rebuild_is_taken_up_and_can_be_cancelled(visit: Visits, serve: Callable[[str], FastAPI]) -> None:
    with serving(serve(ENDLESS)) as url:
        page = visit(url=url)
        sign_in(page)
        page.locator("#rebuild").click()
        expect(page.locator("#job-text")).to_have_text("Drawing the map: 3 of 9")
        page.reload()
        page.locator("#admin summary").click()
        expect(page.locator("#job-text")).to_have_text("Drawing the map: 3 of 9")
        page.locator("#cancel-job").click()
        expect(page.locator("#job-text")).to_contain_text("Cancelled")
        expect(page.locator("#rebuild")).to_be_enabled()


def test_without_a_token_of_the_service_it_says_how_to_turn_it_on(visit: Visits) -> None:
    page = visit(go=False)
    page.route("**/info", rewritten(lambda info: info.update(admin_enabled=False)))
    page.goto("/")
    page.locator("#admin summary").click()
    expect(page.locator("#admin-off")).to_contain_text("FEELALIKE_ADMIN_TOKEN")
    expect(page.locator("#token")).to_be_hidden()
