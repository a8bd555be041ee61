"""Labelled pictures as people have them on disk: which layout a folder has, and what it says of each picture.

manifest   a CSV or Parquet file with `path` and `label` (or `labels`); class folders give way to a manifest.csv there
folders    a folder for each emotion
votes      a CSV beside the pictures, a row a picture, a column an emotion: how many people named it
emotion6   the same with valence and arousal, as Emotion6 has it
emoset     image/<emotion>/*.jpg, annotation/<emotion>/*.json, and the lists train.json, val.json, test.json
artphoto   the emotion in the file's name: amusement_0001.jpg
ads        Sentiments.json beside the folders 0, 1, ..., 10: of each picture what every annotator felt, by number

Sources: EmoSet's README ("File Structure"; Yang et al., ICCV 2023); Emotion6's readme (Peng et al., CVPR 2015); for
ArtPhoto and Abstract (Machajdik and Hanbury, ACM MM 2010) public readers of testImages_artphoto and of
ABSTRACT_groundTruth.csv agree: that table quotes names with ' and calls two emotions "Content" and "Sad". No table
of votes for IAPSa was found in public; one of the same form, its pictures named with or without suffix, is read too.
Pittsburgh advertisements: see training/data/advertisements.py.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, assert_never

from emotion.collection import MANIFEST_NAME, SUFFIXES, read_collection, read_folder
from emotion.errors import DataError
from emotion.taxonomy import Taxonomy
from training.data.advertisements import SENTIMENTS, find_sentiments, is_annotation_file, read_sentiments
from training.data.votes import Opinion, Words, has_feelings, has_votes, opinion_of, read_header, read_votes

SPLITS = ("train.json", "val.json", "test.json")
"""EmoSet's lists; all that are there are read, a single one when it is named itself."""
GROUND_TRUTH = "ground_truth.txt"
LISTED = 8
"""Names of a folder's content that an error tells."""
LABEL_COLUMNS = {"label", "labels"}


class Layout(StrEnum):
    """How labels and pictures lie together; the module's docstring describes each."""

    MANIFEST = "manifest"
    FOLDERS = "folders"
    VOTES = "votes"
    EMOTION6 = "emotion6"
    EMOSET = "emoset"
    ARTPHOTO = "artphoto"
    ADS = "ads"


LOOKED_FOR = {
    Layout.MANIFEST: f"{MANIFEST_NAME}, or a CSV or Parquet file named itself, with the column `path`",
    Layout.FOLDERS: "folders named after emotions, with pictures in them",
    Layout.VOTES: "one CSV with a column of file names and at least two columns named after emotions",
    Layout.EMOTION6: f"{GROUND_TRUTH} beside images/, or a {MANIFEST_NAME} with votes, `valence` and `arousal`",
    Layout.EMOSET: "train.json, val.json or test.json, or image/<emotion>/ beside annotation/<emotion>/",
    Layout.ADS: f"{SENTIMENTS} beside the folders 0, 1, ..., 10, or in annotations_images/image/",
    Layout.ARTPHOTO: "pictures named after emotions, such as amusement_0001.jpg",
}


@dataclass(frozen=True)
class Labelled:
    """A picture and what is said of it; whether the file can be read is not known yet."""

    path: Path
    labels: tuple[str, ...]
    """One where all is well; several where several are given, or where votes are tied; else none."""
    votes: Mapping[str, float] = field(default_factory=dict)
    """Share of the votes that each emotion got; empty where nobody voted."""
    valence: float | None = None
    arousal: float | None = None


class Listing(NamedTuple):
    """What a layout says of its pictures."""

    layout: Layout
    pictures: list[Labelled]
    unused: tuple[str, ...] = ()
    """Columns of a votes table that are no votes."""


def read_layout(
    source: Path, taxonomy: Taxonomy, label_column: str | None = None, layout: Layout | None = None
) -> Listing:
    """What a folder, a table or a list says of its pictures, in a fixed order.

    Args:
        source: a folder, or the file that holds the labels: a CSV, Emotion6's ground_truth.txt, EmoSet's train.json,
            the advertisements' Sentiments.json.
        taxonomy: by its names, and those of the shipped label sets, votes and file names are told from other things.
        label_column: a manifest's column to read labels from.
        layout: found out where it is not given.

    Raises:
        DataError: nothing is there, the layout is another or not clear; says what was looked for and what was found.
    """
    source = source.expanduser().absolute()
    words = Words(taxonomy)
    layout = layout or detect_layout(source, words, label_column)
    if label_column is not None and layout is not Layout.MANIFEST:
        raise DataError(f"{source} has layout {layout.value}; a label column is for the layout manifest")
    match layout:
        case Layout.MANIFEST:
            return Listing(layout, list(_manifest(source, words, label_column)))
        case Layout.FOLDERS:
            return Listing(layout, _folders(source))
        case Layout.VOTES | Layout.EMOTION6:
            return _votes(source, layout, words)
        case Layout.EMOSET:
            return Listing(layout, list(_emoset(source)))
        case Layout.ARTPHOTO:
            return Listing(layout, _artphoto(source, words))
        case Layout.ADS:
            return Listing(layout, _ads(source))
        case _:
            assert_never(layout)


def detect_layout(source: Path, words: Words, label_column: str | None = None) -> Layout:
    """The layout of a folder or a file; raises DataError naming the candidates when there are several.

    A manifest.csv decides for its folder, and a table with a label column is a manifest even if it has votes too.
    What looks like nothing known counts as folders without labels; `missing_labels` says what may be the matter.
    """
    manifest = source / MANIFEST_NAME
    if source.is_file() or manifest.is_file():
        return _file_layout(source if source.is_file() else manifest, words, label_column)
    if not source.is_dir() or label_column is not None:
        return Layout.MANIFEST  # whose reader says that there is none
    found = [layout for layout in Layout if _fits(layout, source, words)]
    if len(found) > 1:
        names = " or ".join(layout.value for layout in found)
        raise DataError(f"{source} may have layout {names}; say which with --layout. It holds: {content_of(source)}")
    return found[0] if found else Layout.FOLDERS


def _file_layout(file: Path, words: Words, label_column: str | None) -> Layout:
    if file.suffix.lower() == ".json":
        return Layout.ADS if is_annotation_file(file) else Layout.EMOSET
    columns = read_header(file)
    if label_column is not None or LABEL_COLUMNS & set(columns) or not has_votes(columns, words):
        return Layout.MANIFEST
    return Layout.EMOTION6 if has_feelings(columns) else Layout.VOTES


def _fits(layout: Layout, folder: Path, words: Words) -> bool:  # noqa: PLR0911 - one for each layout
    """Whether a folder without a manifest has what the layout needs."""
    match layout:
        case Layout.MANIFEST:
            return False
        case Layout.FOLDERS:
            return any(path.is_dir() and words.emotion(path.name) for path in folder.iterdir())
        case Layout.EMOTION6:
            return (folder / GROUND_TRUTH).is_file()
        case Layout.VOTES:
            return bool(_vote_tables(folder, words))
        case Layout.EMOSET:
            return bool(_splits(folder)) or ((folder / "image").is_dir() and (folder / "annotation").is_dir())
        case Layout.ARTPHOTO:
            return any(_is_picture(path) and _named_after(path, words) for path in folder.iterdir())
        case Layout.ADS:
            return find_sentiments(folder) is not None
        case _:
            assert_never(layout)


def _manifest(source: Path, words: Words, label_column: str | None) -> Iterator[Labelled]:
    if source.is_dir() and not (source / MANIFEST_NAME).is_file() and label_column is None:
        raise _not_there(source, Layout.MANIFEST)
    entries = read_collection(source, label_column)
    blank = dict.fromkeys(read_header(manifest_file(source)), "")  # metadata lacks what a row leaves empty
    for entry in entries:
        said = _said_beside({**blank, **entry.metadata}, words)
        yield Labelled(entry.path, entry.labels, said.votes, said.valence, said.arousal)


def _said_beside(metadata: Mapping[str, str], words: Words) -> Opinion:
    """Votes in a manifest's further columns; where they are no numbers, the columns mean something else."""
    try:
        return opinion_of(metadata, words)
    except ValueError:
        return Opinion({})


def _folders(source: Path) -> list[Labelled]:
    if not source.is_dir():
        raise _not_there(source, Layout.FOLDERS)
    return [Labelled(entry.path, entry.labels) for entry in read_folder(source)]


def _votes(source: Path, layout: Layout, words: Words) -> Listing:
    file = source if source.is_file() else _table_of(source, layout, words)
    table = read_votes(file, words) if file is not None else None
    if table is None or (layout is Layout.EMOTION6 and not table.has_feelings):
        raise _not_there(source, layout)
    pictures = [
        Labelled(_beside(table.file, name), said.most_named(), said.votes, said.valence, said.arousal)
        for name, said in table.opinions
    ]
    return Listing(layout, pictures, table.unused)


def _table_of(folder: Path, layout: Layout, words: Words) -> Path | None:
    named = [folder / name for name in (MANIFEST_NAME, GROUND_TRUTH) if (folder / name).is_file()]
    if named or layout is Layout.EMOTION6 or not folder.is_dir():
        return named[0] if named else None
    tables = _vote_tables(folder, words)
    if len(tables) > 1:
        names = ", ".join(path.name for path in tables)
        raise DataError(f"{folder} holds several tables of votes: {names}; name one of them itself as the data")
    return tables[0] if tables else None


def _vote_tables(folder: Path, words: Words) -> list[Path]:
    return [path for path in sorted(folder.glob("*.csv")) if has_votes(read_header(path), words)]


def _beside(table: Path, name: str) -> Path:
    """Where a table's picture is: beside it or in images/, under its name or under that with a suffix."""
    places = [folder / name for folder in (table.parent, table.parent / "images", table.parent / "image")]
    if Path(name).suffix.lower() not in SUFFIXES:
        places += [place.with_name(place.name + suffix) for place in places for suffix in sorted(SUFFIXES)]
    return next((place for place in places if place.is_file()), places[0])


def _emoset(source: Path) -> Iterator[Labelled]:
    lists = [source] if source.is_file() else _splits(source)
    root = source.parent if source.is_file() else source
    for path in lists:
        for number, item in enumerate(_json(path, list)):
            yield _emoset_item(root, path, number, item)
    if lists:
        return
    if not ((root / "image").is_dir() and (root / "annotation").is_dir()):
        raise _not_there(source, Layout.EMOSET)
    for path in sorted((root / "image").glob("*/*")):
        if _is_picture(path):
            yield _emoset_annotated(root, path)


def _emoset_item(root: Path, path: Path, number: int, item: Any) -> Labelled:
    """[emotion, id, picture, annotation]; lists without the id go round too."""
    texts = item if isinstance(item, list) and all(isinstance(part, str) for part in item) else []
    pictures = [text for text in texts[1:] if Path(text).suffix.lower() in SUFFIXES]
    if not pictures:
        raise DataError(f"{path}, item {number}: expected [emotion, id, picture, annotation], found {item!r}")
    return Labelled(root / pictures[0], (texts[0],))


def _emoset_annotated(root: Path, picture: Path) -> Labelled:
    annotation = root / "annotation" / picture.parent.name / f"{picture.stem}.json"
    emotion = _json(annotation, dict).get("emotion") if annotation.is_file() else None
    return Labelled(picture, (emotion,) if isinstance(emotion, str) else ())


def _splits(folder: Path) -> list[Path]:
    return [folder / name for name in SPLITS if (folder / name).is_file()]


def _artphoto(source: Path, words: Words) -> list[Labelled]:
    pictures = sorted(path for path in source.iterdir() if _is_picture(path)) if source.is_dir() else []
    named = {path: _named_after(path, words) for path in pictures}
    if not any(named.values()):
        raise _not_there(source, Layout.ARTPHOTO)
    return [Labelled(path, (emotion,) if emotion else ()) for path, emotion in named.items()]


def _named_after(picture: Path, words: Words) -> str | None:
    word, underscore, _ = picture.stem.partition("_")
    return words.emotion(word) if underscore else None


def _ads(source: Path) -> list[Labelled]:
    file = source if source.is_file() else find_sentiments(source)
    if file is None:
        raise _not_there(source, Layout.ADS)
    roots = [file.parent, *file.parents[1:3]] if source.is_file() else [source]
    return [Labelled(path, labels) for path, labels in read_sentiments(file, roots)]


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def _json(path: Path, kind: type[Any]) -> Any:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(content, kind):
        raise DataError(f"{path} is no JSON {'list' if kind is list else 'object'}, as EmoSet's files are")
    return content


def manifest_file(source: Path) -> Path:
    """Where a folder's manifest is, or is missed; the file itself where one is named."""
    return source if source.is_file() else source / MANIFEST_NAME


def _not_there(source: Path, layout: Layout) -> DataError:
    if not source.exists():
        return DataError(f"{source} is neither a folder nor a file")
    found = content_of(source) if source.is_dir() else columns_of(source)
    return DataError(f"{source} has not layout {layout.value}: looked for {LOOKED_FOR[layout]}; found {found}")


def columns_of(file: Path) -> str:
    """A table's columns, for people."""
    return "the columns " + ", ".join(read_header(file))


def content_of(folder: Path) -> str:
    """A folder's first files and folders, for people."""
    names: Sequence[str] = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir())
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more or "nothing"
