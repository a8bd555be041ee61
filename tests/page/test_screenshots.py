"""The pictures of the page in the docs: made by one command, and still what the page looks like."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from browsing import CHROMIUM
from conftest import ROOT


@pytest.fixture(scope="module")
def screenshots() -> ModuleType:
    spec = importlib.util.spec_from_file_location("screenshots", ROOT / "docs" / "screenshots.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_picture_of_the_docs_is_there_and_small(screenshots: ModuleType) -> None:
    assert {path.name for path in screenshots.OUT.glob("page*.png")} == set(screenshots.SHOTS)
    for name, shot in screenshots.SHOTS.items():
        file = screenshots.OUT / name
        assert file.stat().st_size < screenshots.MOST_BYTES, name
        with Image.open(file) as picture:
            assert picture.size == (shot.viewport["width"], shot.viewport["height"]), name


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium, chromium-browser or google-chrome on the PATH")
def test_they_can_be_taken_anew(screenshots: ModuleType, tmp_path: Path) -> None:
    paints = screenshots.take_all(tmp_path)
    print(f"first paint: {sorted(paints)[len(paints) // 2]:.0f} ms")
    for name in screenshots.SHOTS:
        new, old = tmp_path / name, screenshots.OUT / name
        assert new.stat().st_size < screenshots.MOST_BYTES, name
        assert 0.5 < new.stat().st_size / old.stat().st_size < 2, name
        with Image.open(new) as one, Image.open(old) as other:
            assert one.size == other.size, name
    assert max(paints) < 5_000
