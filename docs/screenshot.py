"""Take docs/images/page.png from a running demo (painted gallery). Needs playwright and a chromium.

Run: python docs/screenshot.py http://127.0.0.1:8000 .demo/gallery/awe/002.jpg /usr/bin/chromium
"""

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

OUT = Path(__file__).parent / "images" / "page.png"


def take(url: str, picture: str, chromium: str) -> None:
    """Upload the picture, wait for its neighbours, photograph the page."""
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        page = browser.new_page(viewport={"width": 1280, "height": 1180}, color_scheme="light")
        page.goto(url)
        page.set_input_files("input[type=file]", picture)
        page.wait_for_selector("img[src*='/thumbnail']")
        page.wait_for_load_state("networkidle")
        page.screenshot(path=OUT)
        browser.close()


if __name__ == "__main__":
    take(*sys.argv[1:])
