"""Pictures that a model was not trained on, read one by one: what is left out is counted by its reason and said."""

import hashlib
from collections import Counter
from enum import StrEnum
from pathlib import Path

from emotion.arrays import Pixels
from emotion.console import say
from emotion.errors import PictureError
from emotion.images import read_picture_bytes
from emotion.predictor import Predictor


class LeftOut(StrEnum):
    """Why a picture is not judged, as it is said after a number."""

    TRAINED = "trained this bundle"
    DUPLICATE = "have the bytes of another one"
    UNREADABLE = "cannot be read"


class UnseenPictures:
    """Prepares the pictures of one data set for a model, but none that trained it and none twice."""

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._known = frozenset(predictor.bundle.manifest.training_hashes)
        self._seen: set[str] = set()
        self._left_out: Counter[LeftOut] = Counter()
        self._first_error = ""
        self._n = 0

    def prepare(self, path: Path) -> Pixels | None:
        """The picture as the model takes it; None where it is left out."""
        self._n += 1
        try:
            data = read_picture_bytes(path, self._predictor.limits)
            digest = hashlib.sha256(data).hexdigest()
            if digest in self._known or digest in self._seen:
                self._left_out[LeftOut.TRAINED if digest in self._known else LeftOut.DUPLICATE] += 1
                return None
            pixels = self._predictor.prepare(data, str(path))
        except PictureError as error:
            self._left_out[LeftOut.UNREADABLE] += 1
            self._first_error = self._first_error or str(error)
            return None
        self._seen.add(digest)
        return pixels

    def report(self) -> None:
        """Say what was left out, if anything was."""
        for reason, count in self._left_out.items():
            first = f", the first: {self._first_error}" if reason is LeftOut.UNREADABLE else ""
            say(f"{count} of {self._n} pictures {reason} and are left out{first}")

    def why(self) -> str:
        """The same for an error message; empty where nothing was left out."""
        parts = [f"{count} of {self._n} {reason}" for reason, count in self._left_out.items()]
        return f" ({', '.join(parts)})" if parts else ""
