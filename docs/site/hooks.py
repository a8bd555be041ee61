"""What mkdocs is told beside mkdocs.yml: files outside docs/, and that a page loads nothing from elsewhere."""

import posixpath
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).parents[2]
SOURCE: Final = "source/"
"""Where files outside docs/ stand in the site, under their own paths."""
_LINK: Final = re.compile(r"(\]\()([^)#\s]+)((?:#[^)\s]*)?\))")
_LOADING: Final = {"link": "href", "script": "src", "img": "src", "iframe": "src", "source": "src"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what our pages link to outside docs/, as it is, and the site's own style sheet."""
    files.append(File.generated(config, "site.css", abs_src_path=str(ROOT / "docs" / "site" / "site.css")))
    waiting = [(f"docs/{file.src_uri}", Path(str(file.abs_src_path))) for file in files.documentation_pages()]
    while waiting:
        origin, path = waiting.pop()
        for target in _targets(origin, path.read_text("utf-8")):
            uri = _uri(target)
            if uri.startswith(SOURCE) and files.get_file_from_path(uri) is None and (ROOT / target).is_file():
                files.append(File.generated(config, uri, abs_src_path=str(ROOT / target)))
                if target.endswith(".md"):
                    waiting.append((target, ROOT / target))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Turn links between places in the repository into links between pages of the site."""
    here = page.file.src_uri
    origin = here.removeprefix(SOURCE) if here.startswith(SOURCE) else f"docs/{here}"

    def moved(link: re.Match[str]) -> str:
        if "://" in link[2] or link[2].startswith("mailto:"):
            return link[0]
        uri = _uri(_resolved(origin, link[2]))
        return f"{link[1]}{posixpath.relpath(uri, posixpath.dirname(here) or '.')}{link[3]}"

    return _LINK.sub(moved, markdown)


def on_post_page(output: str, page: Page, **_: object) -> str:
    """Refuse a page that would load something from another address."""
    found = _Loading()
    found.feed(output)
    if found.outside:
        raise PluginError(f"{page.file.src_uri} loads {', '.join(found.outside)}")
    return output


def _targets(origin: str, markdown: str) -> Iterator[str]:
    return (_resolved(origin, link[2]) for link in _LINK.finditer(markdown) if "://" not in link[2])


def _resolved(origin: str, link: str) -> str:
    """A link's place in the repository."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(origin), link))


def _uri(target: str) -> str:
    """A place in the repository as a place in the site."""
    return target.removeprefix("docs/") if target.startswith("docs/") else f"{SOURCE}{target}"


class _Loading(HTMLParser):
    """Collects what a browser fetches by itself; an ordinary link is not fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, Any]]) -> None:
        """Note an address of another site."""
        given = dict(attrs)
        address = given.get(_LOADING.get(tag, ""))
        is_outside = address is not None and re.match(r"(https?:)?//", address)
        if is_outside and not (tag == "link" and given.get("rel") in ("canonical", "next", "prev")):
            self.outside.append(str(address))
