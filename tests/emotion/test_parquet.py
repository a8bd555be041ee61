"""Manifests in Parquet: the same pictures, labels and metadata as from the CSV."""

import sys
from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emotion.collection import read_collection
from emotion.errors import DataError


@pytest.fixture
def write(tmp_path):
    def run(**columns):
        pq.write_table(pa.table(columns), tmp_path / "m.parquet")
        return tmp_path / "m.parquet"

    return run


def test_the_same_as_the_csv(write, tmp_path):
    (tmp_path / "m.csv").write_text("path,label,title,year\na.png,awe,Night,1920\nmore/b.png,,,\n")
    table = write(path=["a.png", "more/b.png"], label=["awe", None], title=["Night", ""], year=[1920, None])
    assert read_collection(table) == read_collection(tmp_path / "m.csv")


def test_values_become_the_text_that_people_would_write(write):
    table = write(
        path=["a.png"],
        labels=[["awe", "fear"]],
        flag=[True],
        share=[0.25],
        nothing=pa.array([float("nan")]),
        price=[Decimal("1.50")],
        day=[date(2026, 11, 22)],
        at=[datetime(2026, 11, 22, 10, 30)],
        kind=pa.array(["a"]).dictionary_encode(),
        more=pa.array([[("by", "me"), ("flag", "lost")]], pa.map_(pa.string(), pa.string())),
    )
    (entry,) = read_collection(table)
    assert entry.labels == ("awe", "fear")
    assert entry.metadata == {
        "flag": "true",
        "share": "0.25",
        "price": "1.50",
        "day": "2026-11-22",
        "at": "2026-11-22T10:30:00",
        "kind": "a",
        "by": "me",
    }


def test_pictures_vectors_and_records_are_no_metadata(write):
    table = write(
        path=["a.png"],
        picture=[b"bytes"],
        vector=[[0.5, 0.5]],
        record=[{"x": 1}],
        __index_level_0__=[7],
    )
    assert read_collection(table)[0].metadata == {}


def test_another_column_for_the_label(write):
    (entry,) = read_collection(write(path=["a.png"], mood=["calm"], label=["awe"]), "mood")
    assert (entry.label, entry.metadata) == ("calm", {"label": "awe"})


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"file": ["a"], "vector": [[0.5]]}, "no column `path`; it has: file"),
        ({"path": ["a", None]}, "row 2: the path is empty"),
    ],
)
def test_what_is_wrong_is_said(write, columns, message):
    with pytest.raises(DataError, match=message):
        read_collection(write(**columns))


def test_a_time_in_nanoseconds_is_said_or_refused(write):
    even = pa.array([1_000], pa.timestamp("ns"))
    assert read_collection(write(path=["a.png"], at=even))[0].metadata == {"at": "1970-01-01T00:00:00.000001"}
    with pytest.raises(DataError, match="anosecond"):
        read_collection(write(path=["a.png"], at=pa.array([1], pa.timestamp("ns"))))


def test_what_is_no_parquet_is_refused(tmp_path):
    (tmp_path / "m.parquet").write_text("path,label\na.png,awe\n")
    with pytest.raises(DataError, match=r"m\.parquet cannot be read as Parquet"):
        read_collection(tmp_path / "m.parquet")


def test_without_pyarrow_the_error_says_what_to_install(write, monkeypatch):
    table = write(path=["a.png"])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"pip install 'feelalike\[parquet\]'; or save the table as CSV"):
        read_collection(table)
