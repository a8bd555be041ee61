"""Take the pictures of the page in docs/images from a service over the painted gallery.

Run: python docs/screenshots.py (needs playwright and a chromium)
It paints, indexes and serves the gallery in a temporary folder, and prints how long a first paint takes.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

from PIL import Image, ImageColor
from playwright.sync_api import Browser, ViewportSize, sync_playwright

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "images"
STYLE = ROOT / "service" / "static" / "style.css"
BUNDLE = ROOT / "models" / "mikels-lite0"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
PHONE: ViewportSize = {"width": 390, "height": 844}
DESKTOP: ViewportSize = {"width": 1280, "height": 1230}
N_PAINTED = 320
QUERY = Path("awe") / "002.jpg"
MOST_BYTES = 250_000
_COLOURS = 256
_PAINTS = 5


PAINTED = """new Promise((done) => new PerformanceObserver((list) =>
  list.getEntriesByName("first-contentful-paint").forEach((one) => done(one.startTime))
).observe({ type: "paint", buffered: true }))"""


class Shot(NamedTuple):
    """One picture of the page."""

    viewport: ViewportSize
    scheme: str
    compare: bool = False
    """Whether two profiles are side by side."""
    map: bool = False
    """Whether the map is open, the query marked on it."""


SHOTS: Mapping[str, Shot] = {
    "page.png": Shot(DESKTOP, "light"),
    "page-dark.png": Shot(DESKTOP, "dark"),
    "page-phone.png": Shot(PHONE, "light"),
    "page-phone-dark.png": Shot(PHONE, "dark"),
    "page-compare.png": Shot(DESKTOP, "light", compare=True),
    "page-map.png": Shot(DESKTOP, "light", map=True),
}


def take_all(out: Path, n_painted: int = N_PAINTED) -> list[float]:
    """Write every picture; returns the milliseconds to the first paint of visits by browsers that know nothing."""
    with tempfile.TemporaryDirectory() as folder, _service(Path(folder), n_painted) as url, _chromium() as browser:
        for name, shot in SHOTS.items():
            _take(browser, url, Path(folder) / "gallery" / QUERY, shot, out / name)
            _shrink(out / name)
        return [_first_paint_ms(browser, url) for _ in range(_PAINTS)]


def _take(browser: Browser, url: str, picture: Path, shot: Shot, file: Path) -> None:
    context = browser.new_context(
        viewport=shot.viewport, color_scheme=shot.scheme, reduced_motion="reduce", has_touch=shot.viewport is PHONE
    )
    page = context.new_page()
    page.goto(url)
    page.set_input_files("#file", picture)
    page.locator("#grid[aria-busy=false] a.card").first.wait_for()
    if shot.compare:
        page.get_by_role("button", name="Why rank 2 feels alike").click()
    if shot.map:
        page.locator("#see-map").click()
        page.locator("#map-facts", has_text="pictures.").wait_for()
        page.locator("#map-whole").click()
        page.locator("#map-list a").first.wait_for()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=file)
    context.close()


def _first_paint_ms(browser: Browser, url: str) -> float:
    context = browser.new_context(viewport=DESKTOP)
    page = context.new_page()
    page.goto(url)
    found = page.evaluate(PAINTED)
    context.close()
    return float(found)


def _shrink(file: Path) -> None:
    """With a palette: the page's own colours, which have to be exact, and the most used ones of its pictures."""
    with Image.open(file) as opened:
        picture = opened.convert("RGB")
    own = [ImageColor.getrgb(colour) for colour in sorted(set(re.findall(r"#[0-9a-f]{6}\b", STYLE.read_text())))]
    others = picture.quantize(_COLOURS - len(own)).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([channel for colour in own for channel in colour] + others)
    picture.quantize(palette=palette, dither=Image.Dither.NONE).save(file, optimize=True)


@contextmanager
def _chromium() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        raise SystemExit("no chromium, chromium-browser or google-chrome on the PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@contextmanager
def _service(folder: Path, n_painted: int) -> Iterator[str]:
    """Paint, index and serve; gives the URL."""
    gallery, store = folder / "gallery", folder / "store"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}

    def command(*words: object) -> list[str]:
        return [sys.executable, "-m", *map(str, words)]

    where = ("--bundle", BUNDLE, "--store", store)
    for words in (
        ("demo", "paint", "--out", gallery, "--count", n_painted),
        ("index", "build", *where, "--gallery", gallery),
    ):
        subprocess.run(command(*words), check=True, env=environment, stdout=subprocess.DEVNULL)
    log = folder / "log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            command("service", *where, "--port", 0), env=environment, stderr=stream, stdout=stream
        )
        try:
            yield _url_in(log, process)
        finally:
            process.terminate()
            process.wait(30)


def _url_in(log: Path, process: subprocess.Popen[bytes]) -> str:
    while process.poll() is None:
        if found := re.search(r"ready on (http://\S+)", log.read_text()):
            return found[1]
        try:
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
    raise SystemExit(f"the service did not start:\n{log.read_text()}")


if __name__ == "__main__":
    paints = take_all(OUT)
    print(
        f"first paint: {median(paints):.0f} ms (median of {len(paints)}: {', '.join(f'{one:.0f}' for one in paints)})"
    )
