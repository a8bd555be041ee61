"""Parquet tables as rows of text, as a CSV gives them; pyarrow is imported where it is needed."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, time
from pathlib import Path
from typing import Any, Final

from emotion.errors import DataError

SUFFIX: Final = ".parquet"
INSTALL: Final = "pip install 'feelalike[parquet]'"
_BLOCK_ROWS: Final = 4096


def is_parquet(file: Path) -> bool:
    """Whether a file is read as Parquet: by its suffix."""
    return file.suffix.lower() == SUFFIX


def parquet_columns(file: Path) -> tuple[str, ...]:
    """The columns that can be said in a text: no pictures, no vectors, no records. Raises DataError."""
    with _opened(file) as table:
        return _text_columns(table.schema_arrow)


def read_parquet(file: Path) -> list[dict[str, str]]:
    """The rows, by column: what is missing is empty, a list of texts is joined by `|`, a map of texts adds its pairs.

    Raises:
        DataError: it is no Parquet file, or pyarrow is not installed.
    """
    rows = []
    with _opened(file) as table:
        texts = _text_columns(table.schema_arrow)
        maps = [field.name for field in table.schema_arrow if _is_map(field.type)]
        for block in table.iter_batches(_BLOCK_ROWS, columns=[*texts, *maps]):
            for row in block.to_pylist():
                pairs = {key: _said(value) for name in maps for key, value in row[name] or ()}
                rows.append(pairs | {name.strip(): _said(row[name]) for name in texts})
    return rows


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise DataError(f"reading {file} needs pyarrow: {INSTALL}; or save the table as CSV") from error
    try:
        with pq.ParquetFile(file) as table:
            yield table
    except (OSError, ValueError, pa.ArrowException) as error:  # ValueError: a time that Python's own cannot hold
        raise DataError(f"{file} cannot be read as Parquet: {error}") from error


def _text_columns(schema: Any) -> tuple[str, ...]:
    """Without the row numbers that pandas writes."""
    fields = (field for field in schema if not field.name.startswith("__index_level_"))
    return tuple(field.name for field in fields if _is_text(field.type))


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    if types.is_list(kind) or types.is_large_list(kind):
        kind = kind.value_type
        return bool(types.is_string(kind) or types.is_large_string(kind))
    is_bytes = types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind)
    return not (is_bytes or types.is_nested(kind))


def _is_map(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_map(kind) and _is_text(kind.key_type) and _is_text(kind.item_type))


def _said(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float() if math.isnan(value):
            return ""
        case list():
            return "|".join(one for one in value if one)
        case date() | time():  # a datetime is a date
            return value.isoformat()
    return str(value)
