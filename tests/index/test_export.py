"""The gallery as a table: what searches find is in it, with the numbers that they compare."""

import csv
import json
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from emotion.collection import read_collection
from emotion.errors import ConfigError
from fakes import encoded
from index.__main__ import app
from index.additions import NewPicture, add_picture, embed_picture, remove_picture
from index.compact import compact
from index.embed import made_with
from index.export import export_gallery

NEW = NewPicture(encoded(50), "awe|sea", {"by": "mé, too"}, "mine-1")


@pytest.fixture
def live(built, predictor):
    """A store with six indexed pictures, of which one was deleted, and one added since."""
    add_picture(built, NEW, embed_picture(predictor, NEW), made_with(predictor))
    remove_picture(built, built.load().ids[2])
    return built


@pytest.fixture
def export(tmp_path):
    def run(store, name: str = "gallery.parquet", block_rows: int = 4):
        out = tmp_path / "out" / name
        seen: list[int] = []
        done = export_gallery(store, out, seen.append, block_rows)
        assert [path.name for path in out.parent.iterdir()] == [name], "nothing else is left there"
        return done, out, seen

    return run


def test_a_parquet_table_holds_what_searches_find(live, export, predictor):
    done, out, seen = export(live)
    assert (done.n_pictures, done.n_damaged, seen) == (6, 0, [4, 2, 1])
    snapshot = live.load()
    with pq.ParquetFile(out) as file:
        assert file.num_row_groups == 3
        assert str(file.schema_arrow.field("embedding").type) == "fixed_size_list<element: float>[8]"
        facts = json.loads(file.schema_arrow.metadata[b"feelalike"])
        rows = file.read().to_pylist()
    assert (facts["model_id"], facts["precision"], facts["dim"]) == (predictor.model_id, "fp32", 8)
    assert [row["id"] for row in rows] == [*snapshot.ids[:2], *snapshot.ids[3:], NEW.id]
    for row in rows[:-1]:
        number = snapshot.row_of(row["id"])
        np.testing.assert_array_equal(np.float32(row["embedding"]), snapshot.vectors[number])
        assert row["label"] == live.catalog.get(row["id"]).label
    new = rows[-1]
    expected = predictor.predict([NEW.data])
    np.testing.assert_array_equal(np.float32(new["embedding"]), expected.embeddings[0])
    np.testing.assert_array_equal(np.float32([*new["probabilities"].values()]), expected.probabilities[0])
    assert new["emotion"] == max(new["probabilities"], key=new["probabilities"].get)
    assert list(new["probabilities"]) == list(predictor.taxonomy.names)
    said = {name: new[name] for name in ("label", "external_id", "metadata")}
    assert said == {"label": "awe|sea", "external_id": "mine-1", "metadata": [("by", "mé, too")]}
    assert (live.uploads / new["path"]).read_bytes() == NEW.data


def test_a_csv_has_the_same_rows_without_the_embedding(live, export):
    _, table, _ = export(live)
    table.rename(table.parent.parent / "gallery.parquet")
    _, out, _ = export(live, "gallery.csv")
    with out.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    same = ["id", "path", "label", "external_id", "emotion"]
    expected = pq.read_table(table.parent.parent / "gallery.parquet", columns=same).to_pylist()
    assert [{name: row[name] or None for name in same} for row in rows] == expected
    assert json.loads(rows[-1]["metadata"]) == {"by": "mé, too"}
    assert sum(float(rows[0][name]) for name in rows[0] if name.startswith("probability_")) == pytest.approx(
        1, abs=1e-5
    )


@pytest.mark.parametrize("name", ["gallery.parquet", "gallery.csv"])
def test_what_was_exported_is_a_manifest(live, export, name):
    _, out, _ = export(live, name)
    entries = read_collection(out)
    assert [entry.labels for entry in entries][-1] == ("awe", "sea")
    assert all(entry.path.is_file() for entry in entries)
    if name.endswith(".parquet"):
        assert entries[-1].metadata["by"] == "mé, too"


def test_folding_the_additions_in_changes_no_row(live, export):
    _, out, _ = export(live)
    before = pq.read_table(out).sort_by("id")
    compact(live)
    export(live)
    after = pq.read_table(out).sort_by("id")
    assert after.equals(before)


def test_a_gallery_of_deleted_pictures_is_an_empty_table(built, export):
    for item_id in built.load().ids:
        remove_picture(built, item_id)
    done, out, _ = export(built)
    assert done.n_pictures == 0
    assert pq.read_table(out).num_rows == 0


def test_another_suffix_is_refused_and_a_failure_leaves_the_file_before(built, export, tmp_path):
    with pytest.raises(ConfigError, match=r"must end in \.parquet or \.csv"):
        export_gallery(built, tmp_path / "gallery.npy", print)
    _, out, _ = export(built)
    before = out.read_bytes()

    def fail(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_gallery(built, out, fail)
    assert out.read_bytes() == before
    assert len(list(out.parent.iterdir())) == 1


def test_without_pyarrow_the_error_says_what_to_install(built, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ConfigError, match=r"pip install 'feelalike\[parquet\]'"):
        export_gallery(built, tmp_path / "gallery.parquet", print)
    assert export_gallery(built, tmp_path / "gallery.csv", print).n_pictures == 6


def test_the_command(live, tmp_path):
    out = tmp_path / "gallery.parquet"
    result = CliRunner().invoke(app, ["export", "--store", str(live.root), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert f"6 pictures of version {live.current_version()} written to {out}" in result.stderr.replace("\n", "")
    as_json = CliRunner().invoke(app, ["export", "--store", str(live.root), "--out", str(out), "--json"])
    facts = {"out": str(out), "pictures": 6, "damaged": 0, "version": live.current_version(), "dim": 8}
    assert facts.items() <= json.loads(as_json.stdout).items()
