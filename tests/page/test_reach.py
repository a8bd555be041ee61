"""Everybody can use it: by keyboard, by screen reader, in both themes, on a phone and on a desk."""

from pathlib import Path

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, expect

from browsing import DESKTOP, PHONE, Visits, ask_about, wait_for_results

ALL: dict[str, list[str]] = {"resultTypes": ["violations"]}
CONTRAST = ALL | {"runOnly": ["color-contrast"]}
VIOLATIONS = """async (options) => (await axe.run(options)).violations
  .map(({ id, nodes }) => `${id}: ${nodes[0].target} ${nodes[0].failureSummary}`)"""


def violations(page: Page) -> list[str]:
    """What axe finds on a phone in light and on a desk in dark, and of contrast the other way round too."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found: list[str] = []
    for viewport, schemes in ((PHONE, ("dark", "light")), (DESKTOP, ("light", "dark"))):
        page.set_viewport_size(viewport)
        for scheme, options in zip(schemes, (CONTRAST, ALL), strict=True):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found += page.evaluate(VIOLATIONS, options)
    return found


def test_axe_finds_nothing_on_any_screen(visit: Visits, painting: Path) -> None:
    page = visit()
    expect(page.locator("#mood-list a")).to_have_count(8)
    page.locator("#about > summary").click()
    assert violations(page) == []
    ask_about(page, painting)
    page.locator("#filters summary").click()
    page.locator("#blend").select_option("fear")
    wait_for_results(page)
    assert violations(page) == []
    page.get_by_role("button", name="Why rank 1 feels alike").click()
    assert violations(page) == []


def test_axe_finds_nothing_where_something_failed(visit: Visits) -> None:
    page = visit("#image=" + "0" * 32)
    expect(page.locator("#problem")).to_be_visible()
    assert violations(page) == []
    visit.complaints.clear()


def test_nothing_is_wider_than_the_screen_and_nothing_moves(visit: Visits, painting: Path) -> None:
    page = visit(viewport=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    ask_about(page, painting)
    page.locator("#filters summary").click()
    for viewport in (PHONE, DESKTOP):
        page.set_viewport_size(viewport)
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    assert page.evaluate("document.getAnimations().length") == 0  # the tests' browser asks for no motion


def test_all_of_it_by_keyboard(visit: Visits) -> None:
    page = visit()
    expect(page.locator("#mood-list a")).to_have_count(8)
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    tab_to(page, "#mood-list a")
    page.keyboard.press("Enter")
    wait_for_results(page)
    expect(page.locator("#verdict")).to_be_focused()
    tab_to(page, "#filters summary")
    page.keyboard.press("Enter")
    tab_to(page, "#emotion-options input")
    page.keyboard.press("Space")
    expect(page.locator("#filters-set")).to_have_text("only amusement")
    expect(page.locator("#emotion-options input").first).to_be_focused()
    wait_for_results(page)
    tab_to(page, ".why")
    page.keyboard.press("Enter")
    expect(page.locator("#compare")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".why").first).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(page.locator("a.card").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#preview")).to_be_visible()
    expect(page.locator("#verdict")).to_be_focused()


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until it is there, as somebody without a mouse would."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} cannot be reached by Tab")


def test_the_theme_is_remembered(visit: Visits) -> None:
    page = visit(color_scheme="light")
    page.get_by_role("button", name="Theme: auto").click()
    page.get_by_role("button", name="Theme: light").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
