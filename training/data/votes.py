"""Tables of votes: how many people said which emotion a picture evokes, as counts or as shares."""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from emotion.errors import DataError
from emotion.parquet import is_parquet, parquet_columns, read_parquet
from emotion.taxonomy import Taxonomy, read_taxonomy, taxonomy_names

VALENCE, AROUSAL = "valence", "arousal"
NAME_COLUMN = "path"
"""Where a table has no such column, its first one holds the names of the pictures."""
_OTHER_WORDS = {"content": "contentment", "sad": "sadness"}
"""As the tables and file names of Machajdik and Hanbury have it; a label set that has such a word itself means that."""


class Words:
    """Which texts name an emotion: the names of a label set, and of the shipped ones.

    The shipped ones count too, because votes for an emotion that the set at hand lacks are votes all the same: a
    picture that most people call joyful must not become a fearful one where the set has no joy.
    """

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._own = frozenset(taxonomy.names)
        self._known = _shipped_words() | _OTHER_WORDS | {name.casefold(): name for name in taxonomy.names}

    def emotion(self, text: str) -> str | None:
        """The emotion that a label, a column, a folder or a file is named after; None where it is none.

        Case and blanks around it do not count, but a name written exactly as in the set at hand goes first.
        """
        word = text.strip()
        return word if word in self._own else self._known.get(word.casefold())


@dataclass(frozen=True)
class Opinion:
    """What people said of one picture."""

    votes: Mapping[str, float]
    """Share of all votes by emotion, 0..1; empty where there are none."""
    valence: float | None = None
    arousal: float | None = None

    def most_named(self) -> tuple[str, ...]:
        """The emotion with the most votes; several where they are tied, none where nobody voted."""
        most = max(self.votes.values(), default=0.0)
        return tuple(name for name, share in self.votes.items() if share == most)


@dataclass(frozen=True)
class VoteTable:
    """A file of votes."""

    file: Path
    opinions: list[tuple[str, Opinion]]
    """The pictures' names as written, without quotes."""
    has_feelings: bool
    """Whether it tells valence and arousal."""
    unused: tuple[str, ...]
    """Columns that are neither names nor votes nor feelings."""


def read_header(file: Path) -> tuple[str, ...]:
    """A table's column names without quotes and brackets; empty where there is none.

    Any encoding will do to see what a table is: in UTF-16 too the names of emotions are ASCII. Who reads the rows says
    that it is not UTF-8. A Parquet file that cannot be read raises DataError.
    """
    if is_parquet(file):
        return tuple(_bare(name) for name in parquet_columns(file))
    try:
        with file.open(newline="", encoding="utf-8-sig", errors="replace") as stream:
            return next(_rows(line.replace("\0", "") for line in stream), ())
    except (OSError, csv.Error):
        return ()


def has_votes(columns: Sequence[str], words: Words) -> bool:
    """Whether at least two columns are named after emotions."""
    return sum(words.emotion(column) is not None for column in columns) > 1


def has_feelings(columns: Sequence[str]) -> bool:
    """Whether valence and arousal are among the columns."""
    return {VALENCE, AROUSAL} <= {column.casefold() for column in columns}


def read_votes(file: Path, words: Words) -> VoteTable | None:
    """Read a table of votes; None where it has no two columns named after emotions.

    Raises DataError naming the line of a vote that is no number, or of a row without a name; or the file, where it is
    not UTF-8.
    """
    columns = read_header(file)
    if not has_votes(columns, words):
        return None
    name_column = columns.index(NAME_COLUMN) if NAME_COLUMN in columns else 0
    opinions = []
    for line, row in enumerate(_table_rows(file), start=2):
        if len(row) != len(columns) or not row[name_column]:
            raise DataError(f"{file}, line {line}: expected {len(columns)} fields, a picture's name among them")
        opinions.append((row[name_column], _opinion(file, line, dict(zip(columns, row, strict=True)), words)))
    unused = [name for i, name in enumerate(columns) if i != name_column and not _is_used(name, words)]
    return VoteTable(file, opinions, has_feelings(columns), tuple(unused))


def opinion_of(cells: Mapping[str, str], words: Words) -> Opinion:
    """What a row's columns say by their names, empty ones among them: an empty vote is no vote.

    Raises ValueError where a vote or a feeling is no number.
    """
    votes: dict[str, float] = {}
    for name, text in cells.items():
        if (emotion := words.emotion(name)) is not None:
            votes[emotion] = votes.get(emotion, 0.0) + _number(text)
    feelings = {name.casefold(): float(text) for name, text in cells.items() if _is_feeling(name) and text}
    total = sum(votes.values())
    if len(votes) < 2 or total == 0:
        votes = {}
    shares = {name: count / total for name, count in votes.items()}
    return Opinion(shares, feelings.get(VALENCE), feelings.get(AROUSAL))


def _opinion(file: Path, line: int, cells: Mapping[str, str], words: Words) -> Opinion:
    try:
        return opinion_of(cells, words)
    except ValueError as error:
        raise DataError(f"{file}, line {line}: {error}") from error


def _number(text: str) -> float:
    """How many votes, or what share of them; an empty field is no vote."""
    value = float(text or 0)
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{text!r} is no number of votes")
    return value


def _is_used(column: str, words: Words) -> bool:
    return words.emotion(column) is not None or _is_feeling(column)


def _is_feeling(column: str) -> bool:
    return column.casefold() in (VALENCE, AROUSAL)


def _table_rows(file: Path) -> list[tuple[str, ...]]:
    """All rows but the header."""
    if is_parquet(file):
        columns = [name.strip() for name in parquet_columns(file)]
        return [tuple(row[name].strip() for name in columns) for row in read_parquet(file)]
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            return list(_rows(stream))[1:]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file} cannot be read as a table in UTF-8: {error}; save it in UTF-8") from error


def _rows(stream: Iterator[str]) -> Iterator[tuple[str, ...]]:
    """Fields between commas or tabs, without the quotes and brackets of the public tables; empty lines left out."""
    first = next(stream, "")
    separator = "\t" if "\t" in first else ","
    yield tuple(_bare(name) for name in next(csv.reader([first], delimiter=separator), []))
    for row in csv.reader(stream, delimiter=separator):
        if row:
            yield tuple(field.strip().strip("'\"") for field in row)


def _bare(name: str) -> str:
    return name.strip().strip("'\"[]").removeprefix("prob.").strip()


@cache
def _shipped_words() -> dict[str, str]:
    return {name.casefold(): name for shipped in taxonomy_names() for name in read_taxonomy(shipped).names}
