"""The map on the page: it is drawn, and whoever points at a picture gets to it, by mouse, finger or keyboard."""

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from browsing import DESKTOP, PHONE, Visits, ask_about, refused, wait_for_results

MARGIN_PX = 26
N_OF_COLOUR = """(canvas, [red, green, blue]) => {
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
    let found = 0;
    for (let i = 0; i < data.length; i += 4) {
        found += data[i + 3] === 255 && data[i] === red && data[i + 1] === green && data[i + 2] === blue;
    }
    return found;
}"""


def open_map(page: Page, button: str = "#open-map") -> Any:
    """Open it and wait until it is drawn; gives what the service told of it."""
    with page.expect_response("**/map") as answered:
        page.locator(button).click()
    expect(page.locator("#map-facts")).to_contain_text("pictures.")
    return answered.value.json()


def place_of(page: Page, points: Any, row: int) -> tuple[float, float]:
    """Where a point is on the screen while the whole map is shown; asks again what the page itself knows."""
    box = page.locator("#map-canvas").bounding_box()
    assert box
    scale = min(box["width"], box["height"]) - 2 * MARGIN_PX
    dx, dy = points["x"][row] / 10_000 - 0.5, points["y"][row] / 10_000 - 0.5
    return box["x"] + box["width"] / 2 + dx * scale, box["y"] + box["height"] / 2 - dy * scale


def coloured(page: Page, red: int, green: int, blue: int) -> int:
    """Pixels of the map in a colour."""
    page.wait_for_timeout(100)  # a frame
    found: int = page.locator("#map-canvas").evaluate(N_OF_COLOUR, [red, green, blue])
    return found


def test_it_is_drawn_with_a_legend_that_hides_and_shows(visit: Visits) -> None:
    page = visit()
    points = open_map(page)
    assert len(points["ids"]) == 40
    legend = page.locator(".map-group")
    counts = [int(text) for text in legend.locator(".map-group-count").all_text_contents()]
    assert sum(counts) == 40
    assert counts == sorted(counts, reverse=True)
    amusement = (192, 124, 0)
    assert coloured(page, *amusement) > 50
    legend.filter(has_text="amusement").click()
    expect(legend.filter(has_text="amusement")).to_have_attribute("aria-pressed", "false")
    expect(legend.filter(has_text="amusement")).to_be_focused()
    assert coloured(page, *amusement) == 0
    page.get_by_role("button", name="Show all").click()
    assert coloured(page, *amusement) > 50
    page.locator("#map-by-label").check()
    assert legend.locator(".map-group-count").all_text_contents() == ["5"] * 8


def test_pointing_shows_a_picture_dragging_moves_and_a_click_searches(visit: Visits) -> None:
    page = visit()
    points = open_map(page)
    row = max(range(40), key=lambda i: points["x"][i])  # at the rim, where none lies on top
    left, top = place_of(page, points, row)
    page.mouse.move(left, top)
    expect(page.locator("#map-tip img")).to_have_attribute("src", f"images/{points['ids'][row]}/thumbnail")
    page.mouse.wheel(0, -400)
    page.mouse.down()
    page.mouse.move(left - 40, top + 30, steps=4)
    page.mouse.up()
    expect(page.locator("#map")).to_be_visible()  # a drag is no click
    for name in ("Zoom in", "Zoom out"):
        page.get_by_role("button", name=name).click()
    page.get_by_role("button", name="Show the whole map").click()
    page.mouse.click(left, top)
    wait_for_results(page)
    expect(page.locator("#map")).to_be_hidden()
    assert points["ids"][row] in page.url


def test_by_keyboard_alone(visit: Visits) -> None:
    page = visit()
    points = open_map(page)
    expect(page.locator("#map-canvas")).to_be_focused()
    for key in ("ArrowRight", "ArrowUp", "+", "-", "0", "ArrowLeft"):
        page.keyboard.press(key)
    expect(page.locator("#map-said")).to_contain_text("Likely to evoke")
    page.keyboard.press("Enter")
    wait_for_results(page)
    open_map(page)
    listed = page.locator("#map-list a")
    expect(listed).not_to_have_count(0)
    wanted = listed.first.get_attribute("data-id")
    assert wanted in points["ids"]
    listed.first.press("Enter")
    expect(page.locator("#map")).to_be_hidden()
    assert wanted in page.url


def test_on_a_phone_a_tap_shows_and_a_button_searches(visit: Visits) -> None:
    page = visit(viewport=PHONE, has_touch=True)
    points = open_map(page)
    row = min(range(40), key=lambda i: points["y"][i])
    page.touchscreen.tap(*place_of(page, points, row))
    expect(page.locator("#map-tip img")).to_have_attribute("src", f"images/{points['ids'][row]}/thumbnail")
    page.locator("#map-tip button").click()
    wait_for_results(page)
    assert points["ids"][row] in page.url


def test_back_closes_it_and_leads_back_to_it(visit: Visits, painting: Path) -> None:
    page = visit(viewport=PHONE, has_touch=True)
    ask_about(page, painting)
    before = page.locator(".card").first.get_attribute("data-id")
    points = open_map(page, "#see-map")
    page.go_back()
    expect(page.locator("#map")).to_be_hidden()
    expect(page.locator("#see-map")).to_be_focused()
    open_map(page, "#see-map")
    page.keyboard.press("Escape")
    expect(page.locator("#map")).to_be_hidden()
    page.wait_for_function("!history.state.map")
    assert page.locator(".card").first.get_attribute("data-id") == before  # still the picture's own results
    open_map(page, "#see-map")
    page.locator("#map-list a").first.click()
    wait_for_results(page)
    assert any(item_id in page.url for item_id in points["ids"])
    page.go_back()
    expect(page.locator("#map")).to_be_visible()
    page.locator("#map-close").click()
    expect(page.locator("#map")).to_be_hidden()
    assert page.locator(".card").first.get_attribute("data-id") == before


def test_crumbs_lead_past_the_map(visit: Visits) -> None:
    page = visit("#mood=awe")
    wait_for_results(page)
    for _ in range(2):
        open_map(page, "#see-map")
        page.locator("#map-list a").first.click()
        wait_for_results(page)
    crumbs = page.locator(".crumb")
    expect(crumbs).to_have_count(3)
    crumbs.first.click()
    expect(page.locator("#verdict")).to_contain_text("most typical of awe")
    expect(page.locator("#map")).to_be_hidden()
    assert page.url.endswith("#mood=awe")


def test_loaded_again_it_is_still_open(visit: Visits) -> None:
    page = visit()
    open_map(page)
    page.reload()
    expect(page.locator("#map")).to_be_visible()
    page.go_back()
    expect(page.locator("#map")).to_be_hidden()


def test_two_fingers_zoom(visit: Visits) -> None:
    page = visit(viewport=PHONE, has_touch=True)
    points = open_map(page)
    by_x = sorted(range(40), key=lambda i: points["x"][i])
    canvas = page.locator("#map-canvas")
    before = canvas.bounding_box()
    left, top = place_of(page, points, by_x[20])  # it stays under the fingers, wherever the others lie
    finger = page.context.new_cdp_session(page)

    def touch(kind: str, *distances: float) -> None:
        touches = [
            {"x": left + side * distance, "y": top, "id": i}
            for i, distance in enumerate(distances)
            for side in [1 - 2 * i]
        ]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    def listed(row: int) -> Locator:
        return page.locator(f"#map-list [data-id='{points['ids'][row]}']")

    expect(page.locator("#map-list li")).to_have_count(24)
    assert canvas.bounding_box() == before  # the list had its room
    touch("touchStart", 20, 20)
    for distance in (40, 80, 120):
        touch("touchMove", distance, distance)
    touch("touchEnd")
    expect(page.locator("#map-list li")).not_to_have_count(24)  # fewer pictures are in view
    expect(listed(by_x[20])).to_have_count(1)
    for rim in (by_x[0], by_x[-1]):  # neither side, as after a mere move
        expect(listed(rim)).to_have_count(0)
    assert page.evaluate("visualViewport.scale") == 1
    expect(page.locator("#map-tip")).to_be_hidden()  # it was no tap


@pytest.mark.parametrize(("viewport", "scheme"), [(PHONE, "dark"), (DESKTOP, "light")])
def test_the_query_is_marked_amid_its_nearest_and_axe_finds_nothing(
    visit: Visits, painting: Path, viewport: dict[str, int], scheme: Any
) -> None:
    page = visit(viewport=viewport, color_scheme=scheme)
    ask_about(page, painting)
    open_map(page, "#see-map")
    accent = {"light": (74, 58, 167), "dark": (185, 173, 255)}[scheme]
    assert coloured(page, *accent) > 50
    found = Axe().run(page).response["violations"]
    assert [(rule["id"], rule["nodes"][0]["target"]) for rule in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_without_a_map_it_says_what_draws_one(visit: Visits) -> None:
    page = visit()
    page.route("**/map", refused(404, "map_missing", "No map yet"))
    page.locator("#open-map").click()
    expect(page.locator("#map-problem")).to_contain_text("No map yet here")
    expect(page.locator("#map-problem button")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.locator("#open-map")).to_be_focused()
    page.unroute("**/map")
    open_map(page)
    expect(page.locator("#map-problem")).to_be_hidden()
    visit.complaints.clear()
