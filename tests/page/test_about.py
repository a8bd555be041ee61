"""What the page tells of the model and the gallery."""

from playwright.sync_api import expect

from browsing import DESKTOP, PHONE, Visits


def test_about_tells_model_gallery_quality_and_terms(visit: Visits) -> None:
    page = visit()
    expect(page.locator("#about-short")).to_contain_text("mikels-lite0, 40 pictures")
    page.get_by_role("link", name="About").click()
    about = page.locator("#about")
    expect(about).to_have_attribute("open", "")
    expect(about.locator("> summary")).to_be_focused()
    for words in ("tf_efficientnet_lite0", "euclidean", "fi-mini", "academic research only"):
        expect(about).to_contain_text(words)
    expect(about).to_contain_text("It names the right one of 8 emotions for 54\u202f% of unseen photos")
    about.get_by_text("All figures").click()
    expect(about.get_by_role("rowheader", name="mAP8", exact=True)).to_be_visible()
    for viewport in (DESKTOP, PHONE):
        page.set_viewport_size(viewport)
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
