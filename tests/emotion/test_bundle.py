import hashlib
import json
from pathlib import Path

import pytest

from conftest import ROOT
from emotion.bundle import (
    DECIDING,
    INT8_NAMES,
    MANIFEST_NAME,
    ONNX_NAME,
    WEIGHTS_NAME,
    Bundle,
    add_int8_graph,
    load_bundle,
    with_manifest,
)
from emotion.errors import BundleError
from emotion.familiarity import FamiliarityScale
from emotion.network.spec import NetworkSpec
from emotion.taxonomy import MIKELS
from fakes import tiny_bundle


def test_round_trip(tmp_path: Path) -> None:
    written = tiny_bundle(tmp_path / "bundle")
    assert load_bundle(tmp_path / "bundle").manifest == written.manifest


def test_model_id_follows_what_decides_the_numbers(tmp_path: Path) -> None:
    first = tiny_bundle(tmp_path / "a")
    assert tiny_bundle(tmp_path / "same", metrics={"x": 1}, terms="others").model_id == first.model_id
    assert tiny_bundle(tmp_path / "weights", salt="2").model_id != first.model_id
    assert tiny_bundle(tmp_path / "temperature", temperature=2.0).model_id != first.model_id


@pytest.mark.parametrize("name", [WEIGHTS_NAME, ONNX_NAME])
def test_a_flipped_bit_is_found(tmp_path: Path, name: str) -> None:
    tiny_bundle(tmp_path / "bundle")
    file = tmp_path / "bundle" / name
    file.write_bytes(bytes([file.read_bytes()[0] ^ 1]) + file.read_bytes()[1:])
    with pytest.raises(BundleError, match=name):
        load_bundle(tmp_path / "bundle")


@pytest.mark.parametrize("name", [WEIGHTS_NAME, ONNX_NAME, MANIFEST_NAME])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    tiny_bundle(tmp_path / "bundle")
    (tmp_path / "bundle" / name).unlink()
    with pytest.raises(BundleError, match=name):
        load_bundle(tmp_path / "bundle")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("schema_version", 2, "schema 2"),
        ("temperature", 3.0, "edited"),
        ("taxonomy", {"name": "x", "emotions": []}, "not valid"),
        ("unheard_of", 1, "not valid"),
    ],
)
def test_an_edited_manifest_is_refused(tmp_path: Path, key: str, value: object, message: str) -> None:
    tiny_bundle(tmp_path / "bundle")
    file = tmp_path / "bundle" / MANIFEST_NAME
    file.write_text(json.dumps(json.loads(file.read_text()) | {key: value}))
    with pytest.raises(BundleError, match=message):
        load_bundle(tmp_path / "bundle")


@pytest.mark.parametrize("without", [{"network": NetworkSpec()}, {"familiarity": None}])
def test_a_graph_that_measures_familiarity_comes_with_its_scale_and_no_other_does(
    tmp_path: Path, without: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match="familiarity goes with"):
        tiny_bundle(tmp_path / "bundle", **without)


def test_a_manifest_from_before_familiarity_is_read(tmp_path: Path) -> None:
    """Its model_id is the hash of what the file says, so fields that did not exist must not count."""
    written = tiny_bundle(tmp_path / "bundle", network=NetworkSpec(), familiarity=None)
    file = written.path / MANIFEST_NAME
    content = json.loads(file.read_text())
    del content["familiarity"], content["network"]["familiarity_rank"]
    deciding = {key: content[key] for key in DECIDING}
    content["model_id"] = hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:16]
    file.write_text(json.dumps(content))
    assert load_bundle(written.path).manifest.familiarity is None


def test_the_threshold_can_be_changed_afterwards(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "bundle")
    scale = FamiliarityScale(quantiles=(1, 2), unfamiliar_below=0.05)
    assert with_manifest(bundle, familiarity=scale).manifest.familiarity == scale


THRESHOLDS = dict.fromkeys(MIKELS.names, 0.25) | {"awe": 0.5}


def test_thresholds_decide_the_numbers_and_their_absence_changes_no_identity(tmp_path: Path) -> None:
    """An older file has no such field; one that says null is the same model."""
    plain = tiny_bundle(tmp_path / "plain")
    several = tiny_bundle(tmp_path / "several", thresholds=THRESHOLDS)
    others = tiny_bundle(tmp_path / "others", thresholds=THRESHOLDS | {"awe": 0.6})
    assert len({plain.model_id, several.model_id, others.model_id}) == 3
    file = plain.path / MANIFEST_NAME
    content = json.loads(file.read_text())
    assert content.pop("thresholds") is None
    file.write_text(json.dumps(content))
    assert load_bundle(plain.path).model_id == plain.model_id
    assert plain.thresholds is None
    assert several.thresholds is not None
    assert several.thresholds.tolist() == [0.5 if name == "awe" else 0.25 for name in MIKELS.names]
    with pytest.raises(BundleError, match="new bundle"):
        with_manifest(several, thresholds=None)


@pytest.mark.parametrize("thresholds", [{}, {"awe": 0.5}, THRESHOLDS | {"hunger": 0.5}, THRESHOLDS | {"awe": 1.5}])
def test_thresholds_are_one_for_each_emotion(tmp_path: Path, thresholds: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="thresholds"):
        tiny_bundle(tmp_path / "bundle", thresholds=thresholds)


def with_int8(bundle: Bundle, salt: str = "") -> Bundle:
    """The bundle with placeholders for an int8 graph."""

    def write_files(folder: Path) -> None:
        for name in INT8_NAMES:
            (folder / name).write_text(name + salt)

    return add_int8_graph(bundle, write_files, data="painted", n_pictures=8)


def test_an_int8_graph_leaves_the_model_as_it_is_and_has_an_identity_of_its_own(tmp_path: Path) -> None:
    plain = tiny_bundle(tmp_path / "bundle")
    before = json.loads((plain.path / MANIFEST_NAME).read_text())
    assert "int8" not in before
    assert plain.int8_path is None
    first, second = with_int8(plain), with_int8(plain, "calibrated otherwise")
    after = json.loads((plain.path / MANIFEST_NAME).read_text())
    assert after.pop("int8")["n_pictures"] == 8
    assert after == before
    assert first.model_id == second.model_id == plain.model_id
    assert len({plain.model_id, first.int8_model_id, second.int8_model_id}) == 3
    assert second.int8_path == plain.path / INT8_NAMES[0]
    assert second.int8_path.read_text() == f"{INT8_NAMES[0]}calibrated otherwise"
    assert "int8" not in json.loads((with_manifest(second, int8=None).path / MANIFEST_NAME).read_text())
    with pytest.raises(BundleError, match="no int8 graph"):
        _ = plain.int8_model_id


@pytest.mark.parametrize("name", INT8_NAMES)
def test_a_damaged_or_missing_int8_graph_is_named(tmp_path: Path, name: str) -> None:
    file = with_int8(tiny_bundle(tmp_path / "bundle")).path / name
    file.write_text("damaged")
    with pytest.raises(BundleError, match=f"{name} differs"):
        load_bundle(tmp_path / "bundle")
    file.unlink()
    with pytest.raises(BundleError, match=f"lacks {name}"):
        load_bundle(tmp_path / "bundle")


def test_an_int8_graph_that_fails_on_the_way_leaves_a_whole_bundle(tmp_path: Path) -> None:
    bundle = with_int8(tiny_bundle(tmp_path / "bundle"))

    def write_one_file(folder: Path) -> None:
        (folder / INT8_NAMES[0]).write_text("only the graph")

    with pytest.raises(FileNotFoundError):
        add_int8_graph(bundle, write_one_file, data="painted", n_pictures=8)
    assert load_bundle(bundle.path).int8_model_id == bundle.int8_model_id
    assert {path.name for path in bundle.path.iterdir()} == {WEIGHTS_NAME, ONNX_NAME, MANIFEST_NAME, *INT8_NAMES}


def test_the_shipped_bundle_keeps_its_identity() -> None:
    for path in sorted((ROOT / "models").glob("*/bundle.json")):
        assert load_bundle(path.parent).thresholds is None


@pytest.mark.parametrize("content", ["", "[]", "{", "{}", "null"])
def test_a_broken_manifest_is_refused(tmp_path: Path, content: str) -> None:
    tiny_bundle(tmp_path / "bundle")
    (tmp_path / "bundle" / MANIFEST_NAME).write_text(content)
    with pytest.raises(BundleError, match="not a bundle manifest"):
        load_bundle(tmp_path / "bundle")


def test_replacing_a_bundle_leaves_one_folder(tmp_path: Path) -> None:
    tiny_bundle(tmp_path / "bundle")
    second = tiny_bundle(tmp_path / "bundle", salt="2")
    assert load_bundle(tmp_path / "bundle").model_id == second.model_id
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_a_failed_write_leaves_the_old_bundle(tmp_path: Path) -> None:
    first = tiny_bundle(tmp_path / "bundle")
    with pytest.raises(ValueError, match="temperature"):
        tiny_bundle(tmp_path / "bundle", salt="2", temperature=-1.0)
    assert load_bundle(tmp_path / "bundle").model_id == first.model_id
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_with_manifest_changes_facts_but_never_numbers(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "bundle")
    with_manifest(bundle, metrics={"accuracy": 0.5})
    assert load_bundle(tmp_path / "bundle").manifest.metrics == {"accuracy": 0.5}
    with pytest.raises(BundleError, match="new bundle"):
        with_manifest(bundle, temperature=2.0)
