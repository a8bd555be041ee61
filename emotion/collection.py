"""Pictures on disk, named by a manifest or found in a folder: what a training set and a gallery have in common.

A manifest is a CSV, or a Parquet file that is named itself, with `path` (relative to it) and `label` (or `labels`,
separated by "|"); further columns are kept as metadata. A manifest.csv in a folder wins over its class folders. Without
one, the first folder level gives the labels, and pictures that lie directly in the folder have none.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from emotion.errors import DataError
from emotion.parquet import is_parquet, parquet_columns, read_parquet

MANIFEST_NAME = "manifest.csv"
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})

_Table = tuple[list[str], list[tuple[str, dict[str, str]]]]
"""Columns, and rows with where they stand."""


@dataclass(frozen=True)
class Entry:
    """One picture of a collection."""

    path: Path
    """Absolute."""
    label: str | None = None
    """As written, without blanks around it: several labels stay joined by "|"."""
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels one by one."""
        return tuple(label for part in (self.label or "").split("|") if (label := part.strip()))


def read_collection(source: Path, label_column: str | None = None) -> list[Entry]:
    """The pictures that a manifest or a folder names, in a fixed order.

    Args:
        source: a manifest in CSV or Parquet, or a folder with or without a manifest.csv.
        label_column: the manifest's column to read labels from; `label`, else `labels`, by default.

    Raises:
        DataError: nothing is there, a column is missing, or a row has no path. Whether the files a manifest names
            can be read is the reader's business: a gallery reports them and goes on, a training run stops.
    """
    source = source.expanduser().absolute()
    if source.is_file():
        return _read_manifest(source, label_column)
    if not source.is_dir():
        raise DataError(f"{source} is neither a folder nor a manifest")
    if (source / MANIFEST_NAME).is_file():
        return _read_manifest(source / MANIFEST_NAME, label_column)
    if label_column is not None:
        raise DataError(f"a label column was named, but {source} has no {MANIFEST_NAME}")
    return read_folder(source)


def read_folder(folder: Path) -> list[Entry]:
    """Every picture below a folder, whatever manifests lie there; the first folder level gives the labels."""
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    return [Entry(path, _folder_label(path.relative_to(folder))) for path in files]


def _folder_label(relative: Path) -> str | None:
    return relative.parts[0] if len(relative.parts) > 1 else None


def _read_manifest(manifest: Path, label_column: str | None) -> list[Entry]:
    columns, rows = _parquet_table(manifest) if is_parquet(manifest) else _csv_table(manifest)
    if "path" not in columns:
        hint = "; put commas between the fields" if len(columns) == 1 and set(columns[0]) & set(";\t") else ""
        raise DataError(f"{manifest} has no column `path`; it has: {', '.join(columns) or 'nothing'}{hint}")
    label_name = _label_column(manifest, columns, label_column)
    return [_entry(manifest, place, row, label_name) for place, row in rows]


def _csv_table(manifest: Path) -> _Table:
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            columns = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = columns
            return columns, [(f"line {line}", row) for line, row in enumerate(reader, start=2)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{manifest} cannot be read as a CSV file in UTF-8: {error}") from error


def _parquet_table(manifest: Path) -> _Table:
    columns = [name.strip() for name in parquet_columns(manifest)]
    return columns, [(f"row {number}", row) for number, row in enumerate(read_parquet(manifest), start=1)]


def _label_column(manifest: Path, columns: Sequence[str], wanted: str | None) -> str | None:
    if wanted is not None:
        wanted = wanted.strip()
        if wanted not in columns:
            raise DataError(f"{manifest} has no column {wanted!r}; it has: {', '.join(columns)}")
        return wanted
    return next((name for name in ("label", "labels") if name in columns), None)


def _entry(manifest: Path, place: str, row: dict[str, str], label_name: str | None) -> Entry:
    relative: str | None = row["path"]
    if None in row:
        raise DataError(f"{manifest}, {place}: more fields than columns; put quotes around text with commas")
    if not relative:
        raise DataError(f"{manifest}, {place}: the path is empty")
    metadata = {key: value for key, value in row.items() if key not in ("path", label_name) and value}
    label = (row[label_name] or "").strip() if label_name else ""
    return Entry(manifest.parent / relative, label or None, metadata)
