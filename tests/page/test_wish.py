"""Filters, the mood that a search is moved towards, and the address that keeps all of it."""

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, expect

from browsing import Visits, ask_about, ranks, wait_for_results


def fragment(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).fragment)


def feelings(page: Page) -> set[str]:
    return set(page.locator("#grid .feel").all_inner_texts())


def test_only_pictures_of_the_chosen_emotion_and_back_takes_it_back(visit: Visits, painting: Path) -> None:
    page = visit()
    ask_about(page, painting)
    before = ranks(page)
    wanted = sorted(feelings(page))[0]
    page.locator("#filters summary").click()
    page.locator(f'#emotion-options input[value="{wanted}"]').check()
    expect(page.locator("#filters-set")).to_have_text(f"only {wanted}")
    wait_for_results(page)
    assert feelings(page) == {wanted}
    expect(page.locator(f'#emotion-options input[value="{wanted}"]')).to_be_focused()
    page.go_back()
    expect(page.locator("#filters-set")).to_have_text("")
    assert ranks(page) == before
    page.go_forward()
    expect(page.locator("#filters-set")).to_have_text(f"only {wanted}")
    page.get_by_role("button", name="Clear the filters").click()
    assert ranks(page) == before


def test_each_filter_is_said_in_words(visit: Visits, painting: Path) -> None:
    page = visit()
    ask_about(page, painting)
    page.locator("#filters summary").click()
    page.locator("#sides-filter").get_by_text("positive").click()
    expect(page.locator("#filters-set")).to_have_text("only positive")
    page.locator("#label").fill("awe")
    page.locator("#label").press("Enter")
    page.locator("#max-distance").fill("0.9")
    page.locator("#dedupe").check()
    expect(page.locator("#filters-set")).to_have_text("only positive, labelled awe, distance up to 0.90, no copies")
    wait_for_results(page)
    assert all("label: awe" in text for text in page.locator("#grid .label").all_inner_texts())


def test_filters_that_nothing_passes_say_so_and_how_to_go_on(visit: Visits, painting: Path) -> None:
    page = visit()
    ask_about(page, painting)
    page.locator("#filters summary").click()
    page.locator("#label").fill("no such label")
    page.locator("#label").press("Enter")
    expect(page.locator("#problem")).to_contain_text("No picture passes these filters")
    page.locator("#problem").get_by_role("button", name="Clear the filters").click()
    wait_for_results(page)
    expect(page.locator("#label")).to_have_value("")


def test_a_mood_moves_the_search_and_its_weight_says_how_far(visit: Visits, painting: Path) -> None:
    page = visit()
    ask_about(page, painting)
    plain = ranks(page)
    expect(page.locator("#weight")).to_be_hidden()
    page.locator("#blend").select_option("fear")
    expect(page.locator("#weight-text")).to_have_text(re.compile("30"))
    page.locator("#weight").fill("1")
    expect(page.locator("#weight-text")).to_have_text(re.compile("100"))
    wait_for_results(page)
    assert ranks(page) != plain
    page.locator("#blend").select_option("")
    wait_for_results(page)
    assert ranks(page) == plain


def test_an_address_leads_others_to_the_same_results(visit: Visits) -> None:
    page = visit("#mood=awe")
    wait_for_results(page)
    page.locator("#grid a.card").first.click()
    expect(page.locator("#preview")).to_be_visible()
    page.locator("#count-options").get_by_text("3", exact=True).click()
    expect(page.locator("#grid a.card")).to_have_count(3)
    page.locator("#filters summary").click()
    page.locator('#emotion-options input[value="fear"]').check()
    expect(page.locator("#filters-set")).to_have_text("only fear")
    wait_for_results(page)
    assert feelings(page) == {"fear"}
    assert fragment(page) == {"image": fragment(page)["image"], "k": ["3"], "emotion": ["fear"]}
    other = visit(urlsplit(page.url).fragment and "#" + urlsplit(page.url).fragment)
    wait_for_results(other)
    assert ranks(other) == ranks(page)
    expect(other.locator("#filters-set")).to_have_text("only fear")


def test_reloading_keeps_picture_trail_and_wish(visit: Visits) -> None:
    page = visit("#mood=fear&k=3")
    wait_for_results(page)
    page.locator("#grid a.card").first.click()
    expect(page.locator("#preview")).to_be_visible()
    wait_for_results(page)
    before = ranks(page)
    page.reload()
    wait_for_results(page)
    assert ranks(page) == before
    page.get_by_role("button", name="Mood: fear").click()
    expect(page.locator("#verdict")).to_contain_text("most typical of fear")


def test_a_picture_of_ones_own_cannot_be_shared_and_the_page_says_so(visit: Visits, painting: Path) -> None:
    page = visit()
    ask_about(page, painting)
    assert urlsplit(page.url).fragment == ""
    expect(page.locator("#unshared")).to_be_visible()
    expect(page.locator("#copy-link")).to_be_hidden()
    page.reload()
    expect(page.locator("#file-error")).to_contain_text("not kept")
    expect(page.locator("#query")).to_be_hidden()


def test_an_address_that_makes_no_sense_is_read_as_far_as_it_goes(visit: Visits) -> None:
    page = visit("#mood=awe&k=banana&polarity=sideways&max_distance=-3&mood_weight=9")
    wait_for_results(page)
    expect(page.locator("#filters-set")).to_have_text("")
    expect(page.locator("#grid a.card")).to_have_count(12)
