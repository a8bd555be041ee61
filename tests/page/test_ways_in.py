"""Ways to a picture: chosen, photographed, pasted, dropped, or one of the gallery's own."""

import base64
from pathlib import Path

from playwright.sync_api import Page, expect

from browsing import PHONE, Visits, ask_about, ranks, wait_for_results

# A File in the page, as a paste or a drop brings it.
AS_FILE = """([data, name, type]) => {
  const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type }));
  return transfer;
}"""


def transfer(page: Page, picture: Path, name: str = "mine.jpg", kind: str = "image/jpeg") -> object:
    data = base64.b64encode(picture.read_bytes()).decode()
    return page.evaluate_handle(AS_FILE, [data, name, kind])


def test_a_chosen_picture_is_answered_with_emotions_and_nearest_pictures(visit: Visits, painting: Path) -> None:
    page = visit()
    ask_about(page, painting)
    expect(page.locator("#verdict")).to_contain_text("likely to evoke")
    expect(page.locator("#bars .bar")).to_have_count(8)
    expect(page.locator("#grid a.card")).to_have_count(12)
    distances = [float(text.removeprefix("distance ")) for text in page.locator("#grid .dist").all_inner_texts()]
    assert distances == sorted(distances)
    expect(page.locator("#verdict")).to_be_focused()
    expect(page.locator("#status")).to_contain_text("12 nearest pictures shown")


def test_a_phone_offers_its_camera_and_a_photo_is_answered(visit: Visits, painting: Path) -> None:
    page = visit(viewport=PHONE, has_touch=True, is_mobile=True)
    expect(page.get_by_text("Take a photo")).to_be_visible()
    assert page.locator("#camera").get_attribute("capture") == "environment"
    page.set_input_files("#camera", painting)
    wait_for_results(page)


def test_a_pasted_picture_is_taken(visit: Visits, painting: Path) -> None:
    page = visit()
    expect(page.get_by_text("Take a photo")).to_be_hidden()  # there is no touch screen
    script = "(files) => dispatchEvent(new ClipboardEvent('paste', { clipboardData: files, bubbles: true }))"
    page.evaluate(script, transfer(page, painting))
    wait_for_results(page)
    expect(page.locator("#caption")).to_have_text("mine.jpg")


def test_a_dropped_picture_is_taken(visit: Visits, painting: Path) -> None:
    page = visit()
    page.dispatch_event("body", "dragenter", {"dataTransfer": transfer(page, painting)})
    expect(page.locator("#veil")).to_be_visible()
    page.dispatch_event("body", "drop", {"dataTransfer": transfer(page, painting)})
    expect(page.locator("#veil")).to_be_hidden()
    wait_for_results(page)


NO_PICTURES = {
    "nothing.jpg": (b"", "is empty"),
    "moving.gif": (b"GIF89a......", "is a GIF file"),
    "notes.jpg": (b"plain text", "does not look like a picture"),
}


def test_what_is_no_picture_is_refused_in_words(visit: Visits, tmp_path: Path) -> None:
    page = visit()
    for name, (content, words) in NO_PICTURES.items():
        (tmp_path / name).write_bytes(content)
        page.set_input_files("#file", tmp_path / name)
        expect(page.locator("#file-error")).to_contain_text(words)
        expect(page.locator("#query")).to_be_hidden()


def test_a_result_leads_on_and_the_crumbs_lead_back(visit: Visits, painting: Path) -> None:
    page = visit()
    ask_about(page, painting)
    first = ranks(page)
    page.locator("#grid a.card").nth(1).click()
    expect(page.locator("#preview")).to_have_attribute("src", f"images/{first[1]}")
    wait_for_results(page)
    assert first[1] not in ranks(page)
    expect(page.locator("#bars .bar")).to_have_count(8)
    page.get_by_role("button", name="Your picture").click()
    expect(page.locator("#caption")).to_have_text("new.jpg")
    assert ranks(page) == first
    expect(page.locator(f'a.card[data-id="{first[1]}"]')).to_be_focused()


def test_a_mood_is_a_start_without_a_picture(visit: Visits) -> None:
    page = visit()
    page.locator("#mood-list a").filter(has_text="awe").click()
    wait_for_results(page)
    expect(page.locator("#verdict")).to_have_text("Pictures most typical of awe")
    expect(page.locator("#preview")).to_be_hidden()
    expect(page.locator("#blend")).to_be_hidden()
    assert page.url.endswith("#mood=awe")
    page.locator("#grid a.card").first.click()
    expect(page.locator("#preview")).to_be_visible()
