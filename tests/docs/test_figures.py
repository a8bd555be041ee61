"""The pictures of docs/explanation: as drawn by the code, readable in the dark, and nothing loaded from elsewhere."""

from xml.etree import ElementTree

import pytest

from figures import FIGURES, FOLDER


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure(name: str) -> None:
    text = (FOLDER / name).read_text("utf-8")
    assert text == FIGURES[name]().svg(), "run: python docs/figures.py"
    sheet = ElementTree.fromstring(text)  # noqa: S314 - our own file
    assert sheet.findtext("{*}title")
    assert "prefers-color-scheme:dark" in text
    assert text.count("http") == 1  # the namespace
