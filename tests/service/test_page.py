"""The web page, read as text: nothing from outside, nothing that its content security policy would block."""

import json
import re
import shutil
import subprocess
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import service
from emotion.taxonomy import MIKELS

STATIC = Path(service.__file__).parent / "static"
SCRIPTS = sorted(path.name for path in (STATIC / "js").iterdir())
BEFORE_PAINT = "theme.js"
"""The one script that is no module: it must run before the page is painted."""
SHEETS = ("style.css", "map.css", "admin.css")
FILES = ("index.html", *SHEETS, *(f"js/{name}" for name in SCRIPTS))
MOST_BYTES = 200_000
SVG_NAMESPACE = "http://www.w3.org/2000/svg"

Attributes = dict[str, str | None]


class Page(HTMLParser):
    """Every element with its attributes, and the text that stands in each."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, Attributes]] = []
        self.text: dict[str, str] = {}
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        self.text[self._open] = self.text.get(self._open, "") + data

    def all(self, tag: str) -> list[Attributes]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def ids(self) -> list[str]:
        return [attributes["id"] or "" for _, attributes in self.elements if "id" in attributes]


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(read("index.html"))


@pytest.fixture(scope="module")
def script() -> str:
    """All of them, one after the other."""
    return "\n".join(read(f"js/{name}") for name in SCRIPTS)


def read(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


def test_the_page_is_these_small_files() -> None:
    assert sorted(str(path.relative_to(STATIC)) for path in STATIC.rglob("*") if path.is_file()) == sorted(FILES)
    assert sum((STATIC / name).stat().st_size for name in FILES) < MOST_BYTES


@pytest.mark.parametrize("name", FILES)
def test_nothing_comes_from_outside(name: str) -> None:
    text = read(name).replace(SVG_NAMESPACE, "")
    assert re.findall(r"(?:\b(?:https?|wss?|ftp):)?//[\w-]+\.[\w.-]+", text) == []
    assert not re.search(r"@import|\burl\(", text)


def test_the_head_says_what_browsers_and_readers_need(page: Page) -> None:
    assert page.all("html")[0]["lang"] == "en"
    assert page.text["title"].strip()
    metas = {attributes.get("name"): attributes.get("content") for attributes in page.all("meta")}
    assert "width=device-width" in (metas["viewport"] or "")
    assert any((attributes.get("charset") or "").lower() == "utf-8" for attributes in page.all("meta"))
    assert metas["description"]


def test_own_files_are_asked_for_where_the_service_has_them(page: Page) -> None:
    scripts = [(attributes.get("type"), attributes.get("src")) for attributes in page.all("script")]
    assert scripts == [(None, f"static/js/{BEFORE_PAINT}"), ("module", "static/js/main.js")]
    sheets = [attributes["href"] for attributes in page.all("link") if attributes.get("rel") == "stylesheet"]
    assert sheets == [f"static/{name}" for name in SHEETS]


@pytest.mark.parametrize("name", ["index.html", *(f"js/{name}" for name in SCRIPTS)])
def test_addresses_are_relative_so_that_a_proxy_may_show_the_page_under_a_path(name: str) -> None:
    own = "admin|classify|docs|embed|images|info|livez|metrics|openapi|readyz|search|static"
    assert re.findall(rf"""["'`]/(?:["'`]|(?:{own})\b)[^"'`]*""", read(name)) == []


def test_every_module_is_asked_for_at_once(page: Page) -> None:
    """Else the browser would learn of each only from the one that imports it."""
    preloaded = [attributes["href"] for attributes in page.all("link") if attributes.get("rel") == "modulepreload"]
    assert preloaded == [f"static/js/{name}" for name in SCRIPTS if name not in {BEFORE_PAINT, "main.js"}]


@pytest.mark.parametrize("name", SCRIPTS)
def test_modules_import_what_is_there(name: str) -> None:
    for names, module in re.findall(r'^import \{ (.+?) \} from "\./([\w.]+)";$', read(f"js/{name}"), re.MULTILINE):
        source = read(f"js/{module}")
        exported = set(re.findall(r"^export (?:async )?(?:function|const|class|let) ([\w$]+)", source, re.MULTILINE))
        assert set(names.split(", ")) <= exported, module


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_module_is_about_one_thing(name: str) -> None:
    assert len(read(f"js/{name}").splitlines()) <= 250
    assert read(f"js/{name}").startswith("// ")


def test_nothing_that_the_content_security_policy_blocks(page: Page, script: str) -> None:
    assert not page.text.get("script", "").strip()
    assert not page.all("style")
    for tag, attributes in page.elements:
        assert "style" not in attributes, tag
        assert not [name for name in attributes if name.startswith("on")], tag
        assert not (attributes.get("href") or "").startswith("javascript:"), tag
    assert not re.search(r"\beval\(|new Function\(|setAttribute\(\"style\"|\.cssText", script)


def test_no_text_becomes_markup(script: str) -> None:
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", script)


def test_ids_are_unique(page: Page) -> None:
    assert [name for name, count in Counter(page.ids).items() if count > 1] == []


def test_every_id_that_the_script_looks_up_is_there(page: Page, script: str) -> None:
    looked_up = set(re.findall(r"\$\(\"([\w-]+)\"\)", script)) | set(
        re.findall(r"getElementById\(\"([\w-]+)\"\)", script)
    )
    assert len(looked_up) > 30
    assert looked_up - set(page.ids) == set()


@pytest.mark.parametrize("attribute", ["aria-labelledby", "aria-describedby", "for"])
def test_references_inside_the_page_lead_somewhere(page: Page, attribute: str) -> None:
    named = {name for _, attributes in page.elements for name in (attributes.get(attribute) or "").split()}
    assert named
    assert named - set(page.ids) == set()


def test_every_field_has_a_name(page: Page) -> None:
    labelled = {attributes.get("for") for attributes in page.all("label")}
    for attributes in page.all("input"):
        assert attributes.get("id") in labelled or attributes.get("aria-hidden") == "true"


def test_every_picture_has_a_text_alternative(page: Page) -> None:
    assert all("alt" in attributes for attributes in page.all("img"))


def test_only_pictures_that_the_service_takes_are_offered(page: Page) -> None:
    offered = [attributes["accept"] for attributes in page.all("input") if attributes.get("type") == "file"]
    assert offered
    assert set(offered) == {"image/jpeg,image/png,image/webp"}


def test_every_emotion_has_a_colour_of_its_own(script: str) -> None:
    table = re.search(r"const HUES = \{(.*?)\};", script, re.DOTALL)
    assert table
    hues = dict(re.findall(r"(\w+): (\d+)", table[1]))
    assert len({hues[name] for name in MIKELS.names}) == len(MIKELS.names)
    colours = dict(re.findall(r"--emo-(\d+): (light-dark\([^)]+\))", read("style.css")))
    assert set(hues.values()) <= set(colours)
    assert len(set(colours.values())) == len(colours)


@pytest.mark.parametrize("side", ["light", "dark"])
def test_colours_stand_out_from_what_they_stand_on(side: str) -> None:
    pairs = dict(re.findall(r"--([\w-]+): light-dark\((#\w{6}, #\w{6})\)", read("style.css")))
    colour = {name: pair.split(", ")[side == "dark"] for name, pair in pairs.items()}
    for ground in ("bg", "surface", "sunken"):
        for ink in ("ink", "dim", "accent"):
            assert contrast(colour[ink], colour[ground]) >= 4.5, (ink, ground)
    assert contrast(colour["accent-ink"], colour["accent"]) >= 4.5
    assert contrast(colour["bad"], colour["bad-bg"]) >= 4.5
    assert contrast(colour["ink"], colour["note-bg"]) >= 4.5
    for name in (name for name in colour if name.startswith("emo-") or name in {"warm", "cool", "edge"}):
        assert contrast(colour[name], colour["surface"]) >= 3, name


def contrast(first: str, second: str) -> float:
    """WCAG 2 contrast ratio."""
    darker, lighter = sorted((luminance(first), luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_a_picture_of_a_kind_that_the_model_does_not_know_is_said_in_words(page: Page, script: str) -> None:
    (notice,) = (attributes for _, attributes in page.elements if attributes.get("id") == "unfamiliar")
    assert "hidden" in notice
    assert notice["role"] == "note"
    assert "take its mood with caution" in read("index.html")
    # What the function answers is tested below; here, that the page does as it says.
    assert "const { unfamiliar, unsure } = caveats(query, n, page.info?.model?.thresholds);" in script
    assert '$("unfamiliar").hidden = !unfamiliar;' in script


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
@pytest.mark.parametrize(
    ("query", "n", "unfamiliar", "unsure"),
    [
        (None, 8, False, False),
        ({"confidence": 0.9, "unfamiliar": True}, 8, True, False),
        ({"confidence": 0.9, "unfamiliar": False}, 8, False, False),
        ({"confidence": 0.9, "unfamiliar": None}, 8, False, False),
        ({"confidence": 0.9}, 8, False, False),
        ({"confidence": 0.29, "unfamiliar": True}, 8, True, True),
        ({"confidence": 0.31}, 8, False, False),
        ({"confidence": 0.31}, 6, False, True),
        ({"confidence": 0.35}, 6, False, False),
        ({"confidence": 0.24}, 30, False, False),
        ({"confidence": 0.21}, 30, False, True),
        ({"confidence": 0.55}, 2, False, True),
        ({"confidence": 0.65}, 2, False, False),
    ],
)
def test_caveats_go_by_the_answer_and_the_number_of_emotions(
    query: dict[str, float | bool | None] | None, n: int, unfamiliar: bool, unsure: bool
) -> None:
    assert run_script(f"caveats({json.dumps(query)}, {n})") == {"unfamiliar": unfamiliar, "unsure": unsure}


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
@pytest.mark.parametrize(
    ("confidence", "thresholds", "unsure"),
    [(0.21, {"joy": 0.2}, False), (0.19, {"joy": 0.2}, True), (0.6, {"joy": 0.7}, True), (0.1, None, False)],
)
def test_of_several_emotions_each_goes_by_its_own_threshold(
    confidence: float, thresholds: dict[str, float] | None, unsure: bool
) -> None:
    query = {"emotion": "joy", "emotions": ["joy"], "confidence": confidence}
    answered = run_script(f"caveats({json.dumps(query)}, 8, {json.dumps(thresholds)})")
    assert answered == {"unfamiliar": False, "unsure": unsure}


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
@pytest.mark.parametrize(
    ("emotions", "words"),
    [
        (None, "a"),
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (list("abcd"), "a, b, c and d"),
        (list("abcdef"), "a, b, c and 3 more"),
    ],
)
def test_several_emotions_in_words(emotions: list[str] | None, words: str) -> None:
    assert run_script(f"inWords(felt({json.dumps({'emotion': 'a', 'emotions': emotions})}))") == words


def test_several_emotions_are_chips(page: Page, script: str) -> None:
    (chips,) = (attributes for _, attributes in page.elements if attributes.get("id") == "chips")
    assert "hidden" in chips
    assert '$("chips").hidden = several.length === 0;' in script


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("likeness({a: 0.7, b: 0.3}, {a: 0.7, b: 0.3})", 1),
        ("likeness({a: 1}, {b: 1})", 0),
        ("likeness({a: 0.75, b: 0.25}, {a: 0.25, b: 0.75})", 1 / 3),  # (.25 + .25) / (.75 + .75)
        ("distanceInWords(0)", "Distance 0.000: the same picture, or a copy of it."),
        ("distanceInWords(0.0999)", "Distance 0.100: very near."),
        ("distanceInWords(0.3)", "Distance 0.300: some way off."),
        ("distanceInWords(1.9)", "Distance 1.900: far."),
    ],
)
def test_likeness_in_numbers_and_words(expression: str, value: float | str) -> None:
    assert run_script(expression) == (value if isinstance(value, str) else pytest.approx(value))


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
@pytest.mark.parametrize(
    ("address", "again"),
    [
        ("", ""),
        ("k=30&emotion=awe&emotion=fear&polarity=positive", "k=30&emotion=awe&emotion=fear&polarity=positive"),
        ("label=a+b&max_distance=0.4&dedupe=true", "label=a+b&max_distance=0.4&dedupe=true"),
        ("mood=awe&mood_weight=0.25", "mood=awe&mood_weight=0.25"),
        ("mood=awe", "mood=awe&mood_weight=0.3"),
        ("k=12&k=7&polarity=up&max_distance=9&mood_weight=x&dedupe=1&label=", ""),
    ],
)
def test_a_wish_is_read_from_an_address_and_written_again(address: str, again: str) -> None:
    expression = f"toParams(fromParams(new URLSearchParams({json.dumps(address)}))).toString()"
    assert run_script(expression, "wish.js") == again


def run_script(expression: str, module: str = "words.js") -> Any:
    """What an expression of a module gives that needs no page."""
    program = f"{read(f'js/{module}')}\nconsole.log(JSON.stringify({expression}));"
    command = ["node", "--input-type=module", "-"]
    done = subprocess.run(command, input=program, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)


def test_it_speaks_of_what_pictures_evoke(page: Page, script: str) -> None:
    assert "likely to evoke" in script
    assert not re.search(r"you feel|your (?:mood|feelings)|how .{0,20} feels\b", script, re.IGNORECASE)
