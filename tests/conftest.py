"""What all tests share: where real photos and the shipped bundle are."""

import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

ROOT = Path(__file__).parent.parent

# How long an example takes is the machine's affair; pytest-timeout ends what hangs.
settings.register_profile("any-speed", deadline=None)
settings.load_profile("any-speed")


def load_script(path: str) -> Any:
    """A script of the repository that is no part of a package, as a module."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def shipped_bundle() -> Path:
    """The bundle in models/."""
    found = sorted((ROOT / "models").glob("*/bundle.json"))
    assert found, "the repository ships a bundle in models/"
    return found[0].parent


@pytest.fixture
def fi_mini() -> Path:
    """Real labelled photos."""
    return _test_data("fi-mini")


@pytest.fixture
def emotion6() -> Path:
    """Real photos with votes."""
    return _test_data("emotion6")


def _test_data(name: str) -> Path:
    base = os.environ.get("FEELALIKE_TEST_DATA")
    if not base or not (Path(base) / name).is_dir():
        pytest.skip(f"FEELALIKE_TEST_DATA names no folder with {name}")
    return Path(base) / name
