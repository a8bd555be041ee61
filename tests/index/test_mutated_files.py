"""JSON and TOML that someone edited or a disk damaged: whatever it says, only our errors, and what is read is sound."""

import contextlib
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from emotion import bundle
from emotion.errors import FeelalikeError
from emotion.taxonomy import SHIPPED, read_taxonomy
from fakes import tiny_predictor, write_gallery
from index import manifest
from index.gallery import GalleryRoot
from index.rebuild import rebuild
from index.store import SnapshotStore
from training.config_file import PRESETS, load_config

FEW, MANY = 60, 3000
LOOSE = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["", "\0", "\ud800", "../..", "1e999", "fp32", "neutral", "0" * 64]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
DEEP = b"[" * 100_000


def places(tree: Any, so_far: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to everything in a document."""
    yield so_far
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, child in children:
        yield from places(child, (*so_far, key))


def replaced(tree: Any, place: tuple[Any, ...], value: Any) -> Any:
    """A document with something else in one place; with nothing there where the value is `places` itself."""
    if not place:
        return value
    changed = dict(tree) if isinstance(tree, dict) else list(tree)
    if value is places and len(place) == 1:
        del changed[place[0]]
    else:
        changed[place[0]] = replaced(tree[place[0]], place[1:], value)
    return changed


@st.composite
def edited(draw: st.DrawFn, tree: Any) -> Any:
    """A document with up to three things replaced, left out or added."""
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from([*places(tree)]))
        value = draw(st.just(places) | VALUES) if place else draw(VALUES)
        tree = replaced(tree, place, value)
        if isinstance(tree, dict) and draw(st.booleans()):
            tree = {**tree, draw(st.text(max_size=5)): draw(SCALARS)}
    return tree


@st.composite
def bitten(draw: st.DrawFn, content: bytes) -> bytes:
    """Text with some bytes overwritten, left out or put in."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 4)))
        content = content[:start] + draw(st.binary(max_size=4)) + content[end:]
    return content[: draw(st.integers(0, len(content)))] if draw(st.booleans()) else content


def mutated(content: bytes, seal: Callable[[Any], Any] = lambda tree: tree) -> st.SearchStrategy[bytes]:
    """JSON that was edited, and sealed again so that it is looked at, or that was damaged."""
    tree = json.loads(content)
    return edited(tree).map(lambda tree: json.dumps(seal(tree)).encode()) | bitten(content) | st.just(DEEP)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> SnapshotStore:
    folder = tmp_path_factory.mktemp("store")
    write_gallery(folder / "gallery", 4)
    store = SnapshotStore(folder / "store")
    rebuild(store, tiny_predictor(folder), root=GalleryRoot(path=folder / "gallery"))
    return store


def resealed_bundle(content: Any) -> Any:
    with contextlib.suppress(Exception):
        return {**content, "model_id": bundle._model_id(content)}
    return content


def resealed_manifest(content: Any) -> Any:
    with contextlib.suppress(Exception):
        content = manifest.SnapshotManifest.model_validate(content).sealed().model_dump(mode="json")
    return content


def check_bundle(folder: Path, content: bytes) -> None:
    (folder / bundle.MANIFEST_NAME).write_bytes(content)
    with contextlib.suppress(FeelalikeError):
        read = bundle.read_manifest(folder)
        assert read.network.dim > 0
        assert math.isfinite(read.temperature)
        assert len(read.taxonomy.names) >= 2
        bundle.Bundle(folder, read).thresholds  # noqa: B018
    with contextlib.suppress(FeelalikeError):
        bundle.load_bundle(folder)


def check_manifest(folder: Path, content: bytes) -> None:
    (folder / manifest.MANIFEST_NAME).write_bytes(content)
    with contextlib.suppress(FeelalikeError):
        read = manifest.read_manifest(folder)
        assert read.count > 0
        manifest.check_matches(read, model_id="x", dim=8, precision="fp32")


def check_store_json(store: SnapshotStore, content: bytes) -> None:
    (store.root / "store.json").write_bytes(content)
    with contextlib.suppress(FeelalikeError):
        config = store.config()
        assert 0 < config.index.recall <= 1
        for root in config.roots:
            root.located(store.root).is_dir()


def check_taxonomy(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with contextlib.suppress(FeelalikeError):
        read_taxonomy(file).dis_matrix()


def bundle_content(folder: Path) -> bytes:
    (folder / "b").mkdir(exist_ok=True)
    return (tiny_predictor(folder / "b").bundle.path / bundle.MANIFEST_NAME).read_bytes()


def try_bundles(folder: Path, n: int) -> None:
    @settings(max_examples=n, **LOOSE)
    @given(mutated(bundle_content(folder), resealed_bundle))
    def check(content: bytes) -> None:
        check_bundle(folder / "b/bundle", content)

    check()


def try_manifests(folder: Path, store: SnapshotStore, n: int) -> None:
    whole = (store.snapshots / store.current_version() / manifest.MANIFEST_NAME).read_bytes()

    @settings(max_examples=n, **LOOSE)
    @given(mutated(whole, resealed_manifest))
    def check(content: bytes) -> None:
        check_manifest(folder, content)

    check()


def try_store_json(folder: Path, store: SnapshotStore, n: int) -> None:
    @settings(max_examples=n, **LOOSE)
    @given(mutated(store.config().model_dump_json().encode()))
    def check(content: bytes) -> None:
        check_store_json(SnapshotStore(folder), content)

    check()


def try_taxonomies(folder: Path, n: int) -> None:
    @settings(max_examples=n, **LOOSE)
    @given(mutated((SHIPPED / "mikels.json").read_bytes()))
    def check(content: bytes) -> None:
        check_taxonomy(folder / "labels.json", content)

    check()


def try_configs(folder: Path, n: int) -> None:
    whole = (PRESETS / "default.toml").read_bytes() + b"\n[loop]\nepochs = 3\n"

    @settings(max_examples=n, **LOOSE)
    @given(bitten(whole) | st.just(b"a = " + DEEP), st.lists(st.text(max_size=12), max_size=2))
    @example(whole, ["optim.lr=" + "[" * 100_000])
    @example(b"\xff", [])
    def check(content: bytes, overrides: list[str]) -> None:
        (folder / "config.toml").write_bytes(content)
        with contextlib.suppress(FeelalikeError):
            load_config(str(folder / "config.toml"), overrides)

    check()


TRIES: dict[str, Callable[[Path, SnapshotStore, int], None]] = {
    "bundle.json": lambda folder, _, n: try_bundles(folder, n),
    "manifest.json": try_manifests,
    "store.json": try_store_json,
    "labels.json": lambda folder, _, n: try_taxonomies(folder, n),
    "config.toml": lambda folder, _, n: try_configs(folder, n),
}


@pytest.mark.parametrize("name", TRIES)
def test_whatever_a_file_says_only_our_errors_come(name, tmp_path, store):
    TRIES[name](tmp_path, store, FEW)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", TRIES)
def test_whatever_thousands_of_files_say_only_our_errors_come(name, tmp_path, store):
    TRIES[name](tmp_path, store, MANY)
