import json

import pytest

from emotion.errors import SnapshotCorruptError, SnapshotMismatchError, StoreError
from index.manifest import MANIFEST_NAME, check_matches, read_manifest


@pytest.fixture
def staged(store, draft):
    with store.writer_lock():
        return store.stage(draft())


def test_round_trip(staged):
    assert read_manifest(staged.folder) == staged.manifest
    assert (staged.manifest.count, staged.manifest.dim, staged.manifest.recall) == (5, 8, 1.0)


def test_an_edit_is_noticed(staged):
    file = staged.folder / MANIFEST_NAME
    file.write_text(file.read_text().replace('"model0"', '"model1"'))
    with pytest.raises(SnapshotCorruptError, match=r"manifest\.json is damaged: its checksum"):
        read_manifest(staged.folder)


def test_a_later_schema_asks_for_an_update(staged):
    file = staged.folder / MANIFEST_NAME
    file.write_text(json.dumps({**json.loads(file.read_text()), "schema_version": 2}))
    with pytest.raises(StoreError, match="schema 2; this version reads schema 1"):
        read_manifest(staged.folder)


@pytest.mark.parametrize("content", ["[]", "{", '{"schema_version": 1}'])
def test_something_else_is_damaged(staged, content):
    (staged.folder / MANIFEST_NAME).write_text(content)
    with pytest.raises(SnapshotCorruptError, match=r"manifest\.json is damaged"):
        read_manifest(staged.folder)


def test_the_same_model_matches(staged):
    check_matches(staged.manifest, model_id="model0", dim=8, precision="fp32")


@pytest.mark.parametrize(
    ("other", "text"),
    [
        ({"model_id": "model1"}, "model model0, not model1"),
        ({"dim": 680}, "dimension 8, not 680"),
        ({"precision": "bf16"}, "precision fp32, not bf16"),
    ],
)
def test_another_model_is_told_what_to_run(staged, other, text):
    with pytest.raises(SnapshotMismatchError, match=f"{text}.*python -m index build"):
        check_matches(staged.manifest, **({"model_id": "model0", "dim": 8, "precision": "fp32"} | other))
