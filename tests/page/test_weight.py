"""How heavy the page is, and that nothing on it jumps."""

from pathlib import Path

from playwright.sync_api import Page, expect

from browsing import PHONE, Visits, ask_about, wait_for_results

MOST_BYTES = 200_000
LARGEST_SHIFT = 0.02
"""Of the layout, as browsers measure it; below 0.1 counts as good."""
SHIFTS = """() => { window.shifts = []; new PerformanceObserver((list) => {
  for (const one of list.getEntries()) if (!one.hadRecentInput) window.shifts.push(one.value);
}).observe({ type: "layout-shift" }); }"""


def transferred(page: Page) -> dict[str, int]:
    """Bytes by address, of everything that the page asked for."""
    script = """performance.getEntriesByType("resource").concat(performance.getEntriesByType("navigation"))
      .map((one) => [one.name, one.decodedBodySize])"""
    return dict(page.evaluate(script))


def test_without_pictures_the_page_is_light_and_all_from_here(visit: Visits) -> None:
    page = visit()
    expect(page.locator("#mood-list a")).to_have_count(8)
    sizes = transferred(page)
    assert sum(sizes.values()) < MOST_BYTES
    assert all(address.startswith((visit.url, "data:")) for address in sizes)


def test_rows_have_one_height_and_pictures_their_own_shape(visit: Visits, painting: Path) -> None:
    page = visit()
    ask_about(page, painting)
    boxes = page.locator("#grid .thumb").evaluate_all(
        "all => all.map((one) => one.getBoundingClientRect()).map(({ top, width, height }) => [top, width, height])"
    )
    rows: dict[int, list[float]] = {}
    for top, _, height in boxes:
        rows.setdefault(round(top), []).append(height)
    assert len(rows) >= 2
    assert all(max(heights) - min(heights) < 1.5 for heights in rows.values())
    shapes = page.locator("#grid img").evaluate_all(
        """all => Promise.all(all.map(async (image) => { image.loading = "eager"; await image.decode();
          const { width, height } = image.getBoundingClientRect();
          return [width / height, image.naturalWidth / image.naturalHeight]; }))"""
    )
    assert len({round(shown, 1) for shown, _ in shapes}) > 1
    for shown, natural in shapes:
        assert abs(shown / natural - 1) < 0.05


def test_nothing_jumps_when_the_pictures_come(visit: Visits, painting: Path) -> None:
    page = visit()
    ask_about(page, painting)
    page.evaluate(SHIFTS)
    page.locator("#grid a.card").first.click()
    expect(page.locator("#preview")).to_be_visible()
    wait_for_results(page)
    page.wait_for_load_state("networkidle")
    shifts = page.evaluate("window.shifts")
    assert sum(shifts) < LARGEST_SHIFT


def test_only_pictures_near_the_screen_are_fetched(visit: Visits, painting: Path) -> None:
    page = visit(viewport=PHONE)
    ask_about(page, painting)
    page.locator("#count-options").get_by_text("30").click()
    expect(page.locator("#grid a.card")).to_have_count(30)
    lazy = page.locator("#grid img").evaluate_all("all => all.every((image) => image.loading === 'lazy')")
    assert lazy


def test_a_second_visit_fetches_no_picture_again(visit: Visits) -> None:
    page = visit("#mood=awe&k=3")
    wait_for_results(page)
    page.wait_for_load_state("networkidle")
    page.reload()
    wait_for_results(page)
    page.wait_for_load_state("networkidle")
    script = """performance.getEntriesByType("resource").filter((one) => one.name.endsWith("/thumbnail"))
      .map((one) => one.transferSize)"""
    assert page.evaluate(script) == [0, 0, 0]
