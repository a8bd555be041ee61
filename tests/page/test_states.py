"""What the page says while it waits, when nothing is there, when something fails, and when the model is not sure."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from playwright.sync_api import Route, expect

from browsing import Visits, refused, rewritten, serving, wait_for_results
from index.store import SnapshotStore

READ_TOKEN = "a token to read"


@pytest.fixture
def serve(make_app: Callable[..., FastAPI]) -> Iterator[Callable[..., str]]:
    """Another service than the common one, until the test ends; asked for before `visit`, so that pages end first."""
    with ExitStack() as stack:
        yield lambda store, **changes: stack.enter_context(serving(make_app(store, **changes)))


def doubtful(content: dict[str, Any]) -> None:
    content["query"] |= {"confidence": 0.2, "unfamiliar": True}
    content["results"] = []


def test_what_an_answer_leaves_open_is_said(visit: Visits, painting: Path) -> None:
    page = visit()
    page.route("**/search?*", rewritten(doubtful))
    page.set_input_files("#file", painting)
    expect(page.locator("#verdict")).to_contain_text("No emotion stands out")
    expect(page.locator("#caveat")).to_contain_text("take the first place as a hint only")
    expect(page.locator("#unfamiliar")).to_contain_text("take its mood with caution")
    expect(page.locator("#unfamiliar")).to_be_visible()
    expect(page.locator("#problem")).to_contain_text("No other pictures in the gallery")


def test_while_it_waits_the_page_shows_where_the_answer_will_be(visit: Visits, painting: Path) -> None:
    page = visit()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/search?*", hold)
    page.set_input_files("#file", painting)
    expect(page.locator("#verdict")).to_have_text("Looking at the picture…")
    expect(page.locator("#grid")).to_have_attribute("aria-busy", "true")
    expect(page.locator("#grid li")).to_have_count(12)
    held.pop().continue_()
    wait_for_results(page)


def test_a_busy_or_restarting_service_is_asked_again(visit: Visits, painting: Path) -> None:
    page = visit()
    refusals = [(503, "not_ready"), (429, "rate_limited")]

    def at_last(route: Route) -> None:
        if refusals:
            status, code = refusals.pop()
            refused(status, code, "Not now", **{"Retry-After": "1"})(route)
        else:
            route.continue_()

    page.route("**/search?*", at_last)
    page.set_input_files("#file", painting)
    expect(page.locator("#caveat")).to_contain_text("Trying again in 1")
    expect(page.locator("#status")).to_contain_text("Waiting to try again")
    wait_for_results(page)
    assert not refusals
    expect(page.locator("#caveat")).not_to_contain_text("Trying again")
    visit.complaints.clear()


def test_a_refusal_is_told_with_its_code_and_what_to_do(visit: Visits, painting: Path) -> None:
    page = visit()
    again = page.get_by_role("button", name="Try again")
    for status, code, helps in (413, "picture_too_large", False), (500, "internal_error", True):
        page.unroute("**/search?*")
        page.route("**/search?*", refused(status, code, "It went wrong"))
        page.set_input_files("#file", painting)
        expect(page.locator("#problem .ids")).to_have_text(f"{code} · request r1")
        expect(page.locator("#problem")).to_contain_text("It went wrong here.")
        expect(page.locator("#verdict")).to_have_text("This picture got no answer")
        expect(again).to_have_count(int(helps))
    page.unroute("**/search?*")
    again.click()
    wait_for_results(page)
    visit.complaints.clear()


def test_a_link_to_what_is_not_there_says_so(visit: Visits) -> None:
    page = visit("#image=" + "0" * 32)
    expect(page.locator("#verdict")).to_have_text("This picture is not in the gallery")
    expect(page.locator("#problem .ids")).to_contain_text("unknown_image")
    expect(page.locator("#problem")).to_contain_text("It may have been deleted")
    page.evaluate("location.hash = '#mood=boredom'")
    expect(page.locator("#problem")).to_contain_text("boredom")
    visit.complaints.clear()


def test_without_an_index_emotions_are_told_and_what_is_missing(
    serve: Callable[..., str], visit: Visits, tmp_path: Path, painting: Path
) -> None:
    page = visit(url=serve(tmp_path / "empty"))
    expect(page.locator("#banner")).to_contain_text("No gallery is loaded")
    expect(page.locator("#moods")).to_be_hidden()
    page.set_input_files("#file", painting)
    expect(page.locator("#bars .bar .num")).to_have_count(8)
    expect(page.locator("#problem")).to_contain_text("build an index first")
    expect(page.locator("#wish")).to_be_hidden()


def test_a_service_that_restarts_is_waited_for(
    visit: Visits, make_app: Callable[..., FastAPI], store: SnapshotStore, painting: Path
) -> None:
    with serving(make_app(store.root)) as url:
        page = visit(url=url)
        expect(page.locator("#mood-list a")).to_have_count(8)
    page.set_input_files("#file", painting)
    expect(page.locator("#caveat")).to_contain_text("Trying again in")
    with serving(make_app(store.root), int(url.rpartition(":")[2])):
        wait_for_results(page)
        page.close()  # before the service, which may not have sent every thumbnail yet
    visit.complaints.clear()


def test_a_closed_service_opens_to_its_token(serve: Callable[..., str], visit: Visits, store: SnapshotStore) -> None:
    url = serve(store.root, read_token=READ_TOKEN)
    page = visit(url=url, http_credentials={"username": "any", "password": READ_TOKEN})
    page.locator("#mood-list a").first.click()
    wait_for_results(page)
    first = page.locator("#grid img").first
    expect(first).to_have_js_property("complete", True)
    assert first.evaluate("image => image.naturalWidth") > 0


def test_a_token_that_no_longer_counts_is_asked_for_again(visit: Visits, painting: Path) -> None:
    page = visit()
    page.route("**/search?*", refused(401, "unauthorized", "Token needed"))
    page.set_input_files("#file", painting)
    again = page.get_by_role("button", name="Reload and sign in")
    expect(again).to_be_visible()
    with page.expect_navigation():
        again.click()
    visit.complaints.clear()
