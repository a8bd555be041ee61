"""The Pittsburgh advertisements' annotations: of each picture what every annotator felt.

Source: the data set's own readme (Hussain et al., CVPR 2017). Sentiments.json maps a picture such as "0/80990.jpg" to a
list for each annotator, [["4", "6"], ["12"]]. The strings are numbers of Sentiments_List.txt, 1 to 30, or what somebody
wrote who found no sentiment there that fits; copies with descriptions in place of the numbers go round too.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from emotion.errors import DataError
from emotion.taxonomy import read_taxonomy

SENTIMENTS = "Sentiments.json"
LABEL_SET = "ads-30"
"""Its order is that of the sentiments' numbers."""
_PLACES = ("", "annotations", "image", "annotations_images/image")
"""Folders beside the pictures' that may hold the file; the last is the archive's own."""


def find_sentiments(folder: Path) -> Path | None:
    """The annotations of a folder of advertisements."""
    return next((file for place in _PLACES if (file := folder / place / SENTIMENTS).is_file()), None)


def is_annotation_file(file: Path) -> bool:
    """Whether a JSON file holds an object, as this one does; judged by how it begins."""
    with file.open("rb") as stream:
        return stream.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{"


def read_sentiments(file: Path, roots: Sequence[Path]) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Each picture's place and all that any of its annotators felt, in the label set's order; perhaps nothing.

    Args:
        file: Sentiments.json.
        roots: where the folders 0 to 10 may be; a picture that is nowhere is said to be in the first.

    Raises DataError where the file is not of the form above, naming the picture.
    """
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"{file} is no JSON object from pictures to what was felt, as {SENTIMENTS} is")
    names = read_taxonomy(LABEL_SET).names
    for picture, said in content.items():
        found = {sentiment(text, names) for text in _texts(file, picture, said)}
        yield _place(roots, picture), tuple(name for name in names if name in found)


def sentiment(text: str, names: Sequence[str]) -> str | None:
    """What a number from 1 on means, or a description such as "Active (energetic, adventurous)"; None for other words.

    "happy with my life" is none: only the word itself, or the word before a bracket, a colon or a comma, counts.
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        return names[int(text) - 1] if 0 < int(text) <= len(names) else None
    described = re.match(r"[\W_]*([^\W_]+)[\W_]*([(:,].*)?$", text, flags=re.DOTALL)
    word = described[1].casefold() if described else ""
    return word if word in names else None


def _texts(file: Path, picture: str, said: Any) -> list[str]:
    """What all annotators said; a plain list is that of one."""
    lists = [one if isinstance(one, list) else [one] for one in said] if isinstance(said, list) else [[None]]
    texts = [text for one in lists for text in one]
    if not all(isinstance(text, str | int) for text in texts):
        raise DataError(f'{file}, {picture!r}: expected a list for each annotator, [["4"], ["12"]], found {said!r}')
    return [str(text) for text in texts]


def _place(roots: Sequence[Path], picture: str) -> Path:
    """In 0/ or subfolder-0/, perhaps within images/."""
    names = (picture, f"subfolder-{picture}")
    places = [root / folder / name for root in roots for folder in ("", "images") for name in names]
    return next((place for place in places if place.is_file()), places[0])
