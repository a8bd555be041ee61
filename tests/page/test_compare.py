"""How alike two pictures feel: both profiles side by side."""

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from browsing import Visits, ask_about, refused, wait_for_results


def percents(page: Page, side: str) -> list[float]:
    texts = page.locator(f".profiles tbody td:{side}-child .num").all_inner_texts()
    return [float(re.sub(r"[^\d.]", "", text)) for text in texts]


def test_both_profiles_are_shown_with_the_distance_in_words(visit: Visits, painting: Path) -> None:
    page = visit()
    ask_about(page, painting)
    distance = page.locator("#grid .dist").nth(2).inner_text().removeprefix("distance ")
    why = page.get_by_role("button", name="Why rank 3 feels alike")
    why.click()
    dialog = page.get_by_role("dialog", name="How alike these two feel")
    expect(dialog).to_contain_text(f"Distance {distance}:")
    expect(dialog).to_contain_text(re.compile("Both lean to the|opposite sides"))
    expect(dialog).to_contain_text(re.compile(r"profiles overlap by \d"))
    expect(dialog.locator("img")).to_have_count(2)
    for side in ("first", "last"):
        assert len(percents(page, side)) == 8
        assert abs(sum(percents(page, side)) - 100) < 1.5
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(why).to_be_focused()


def test_the_same_picture_has_the_same_profile(visit: Visits, gallery: Path) -> None:
    page = visit()
    ask_about(page, gallery / "fear" / "000.jpg")
    page.get_by_role("button", name="Why rank 1 feels alike").click()
    expect(page.locator("#compare")).to_contain_text("the same picture, or a copy of it")
    assert percents(page, "first") == percents(page, "last")
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#compare")).to_be_hidden()


def test_from_a_mood_one_profile_is_shown(visit: Visits) -> None:
    page = visit("#mood=sadness&k=3")
    wait_for_results(page)
    page.get_by_role("button", name="Why rank 1 feels alike").click()
    expect(page.get_by_role("dialog", name="Why this picture stands for sadness")).to_be_visible()
    expect(page.locator("#compare img")).to_have_count(1)
    assert len(percents(page, "last")) == 8


def test_without_details_the_page_still_answers(visit: Visits, painting: Path) -> None:
    page = visit(go=False)
    page.route("**/images/details*", refused(500, "internal_error", "Internal error"))
    page.goto("/")
    ask_about(page, painting)
    page.get_by_role("button", name="Why rank 1 feels alike").click()
    expect(page.locator("#compare")).to_contain_text("has not told the other picture's profile")
    assert all("500" in complaint for complaint in visit.complaints)
    visit.complaints.clear()
