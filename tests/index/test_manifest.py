import json

import pytest

from emotion.errors import SnapshotCorruptError, SnapshotMismatchError, StoreError
from index.manifest import MANIFEST_NAME, check_matches, read_manifest
from index.spec import IndexKind, IndexSpec, IvfSpec

BEFORE_IVF = (
    '{"schema_version":1,"version":"20260101T000000.000000Z","created":"2026-01-01T00:00:00Z","model_id":"m",'
    '"precision":"fp32","dim":8,"count":5,"index":{"kind":"flat","metric":"euclidean"},"recall":1.0,'
    '"taxonomy":["awe"],"counts":{"embedded":0,"reused":0,"duplicates":0,"skipped":0},"files":{},'
    '"checksum":"3a0d0cedf044522b8ede61c9d630a7bef2a193c19f0368d17c0655f5bb16f119"}'
)
IVF = IvfSpec(n_lists=9, n_probe=2, candidates_per_hit=4, target_recall=0.99, n_queries=256)


@pytest.fixture
def staged(store, draft):
    with store.writer_lock():
        return store.stage(draft())


def test_round_trip(staged):
    assert read_manifest(staged.folder) == staged.manifest
    assert (staged.manifest.count, staged.manifest.dim, staged.manifest.recall) == (5, 8, 1.0)


def test_a_manifest_from_before_there_were_lists_is_intact(tmp_path):
    (tmp_path / MANIFEST_NAME).write_text(BEFORE_IVF)
    assert read_manifest(tmp_path).index == IndexSpec(kind=IndexKind.FLAT)


def test_what_older_manifests_lack_is_left_out_of_the_checksum():
    assert set(IVF.model_dump()) == {"n_lists", "n_probe", "candidates_per_hit", "target_recall", "n_queries"}
    newer = IVF.model_copy(update={"n_directions": 32, "reasons": ("told",)})
    assert set(newer.model_dump()) - set(IVF.model_dump()) == {"n_directions", "reasons"}


@pytest.mark.parametrize("fields", [{"kind": "ivf"}, {"kind": "flat", "ivf": IVF}])
def test_parameters_and_kind_belong_together(fields):
    with pytest.raises(ValueError, match="if and only if"):
        IndexSpec(**fields)


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
