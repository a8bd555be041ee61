"""Why a folder or a table has no label that can be used, for people who have written theirs in another way."""

from pathlib import Path

from emotion.collection import MANIFEST_NAME
from training.data.layouts import (
    LABEL_COLUMNS,
    LOOKED_FOR,
    Layout,
    Listing,
    columns_of,
    content_of,
    manifest_file,
)
from training.data.votes import NAME_COLUMN, read_header

TABLES = 3
"""Tables beside the pictures that are looked at."""


def missing_labels(source: Path, listing: Listing) -> list[str]:
    """What to look at where no label of a listing can be used; empty where there is nothing to say."""
    source = source.expanduser().absolute()
    if listing.layout is Layout.FOLDERS:
        tables = sorted(path for path in source.glob("*.csv") if path.name != MANIFEST_NAME)
        found = f"looked for {LOOKED_FOR[Layout.FOLDERS]}; found {content_of(source)}"
        return [found, *(_about_table(path) for path in tables[:TABLES])]
    if listing.layout is Layout.MANIFEST and not any(picture.labels for picture in listing.pictures):
        file = manifest_file(source)
        missing = "no row a label: say with --label-column which of them has it" if listing.pictures else "no rows"
        return [f"{file.name} has {columns_of(file)}, but {missing}"]
    return []


def _about_table(file: Path) -> str:
    """Why a CSV beside the pictures is not read, and how it would be."""
    columns = read_header(file)
    if "\N{REPLACEMENT CHARACTER}" in "".join(columns):
        return f"{file.name} is not in UTF-8"
    if len(columns) == 1 and ";" in columns[0]:
        return f"{file.name} has no commas between its fields: {columns[0]}"
    said = f"{file.name} has {columns_of(file)}"
    if NAME_COLUMN not in columns:
        return f"{said}: to be read it needs `{NAME_COLUMN}` for the pictures' files, and `label`"
    return f"{said}: name it itself as the data" + ("" if LABEL_COLUMNS & set(columns) else ", with --label-column")
