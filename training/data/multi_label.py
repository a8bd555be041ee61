"""Pictures with several labels each: from votes, from a manifest's `labels`, or from the advertisements' annotators."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Bool, Int64

from emotion.console import progress
from emotion.errors import DataError, PictureError
from emotion.taxonomy import MIKELS, Taxonomy, read_taxonomy
from training.data.layouts import Labelled, Layout, read_layout
from training.data.samples import SHOWN, Skipped, checked_digest, fitting_taxonomy
from training.data.votes import Words
from training.records import read_json, write_json

THRESHOLD: Final = 0.2
"""Share of a picture's votes from which an emotion counts."""
ROUNDING: Final = 1e-3
"""What tables with rounded shares may lack of the threshold."""
SHARES: Final = (0.7, 0.2, 0.1)
"""Training, validation and test part (Choi et al., section 5)."""


@dataclass(frozen=True)
class MultiLabelSample:
    """One picture and its labels."""

    path: Path
    labels: tuple[int, ...]
    """Indices into the taxonomy's emotions, rising; at least one."""
    digest: str
    """sha256 of the file's bytes."""


class ReadMultiLabel(NamedTuple):
    """What a data set holds."""

    samples: list[MultiLabelSample]
    skipped: list[Skipped]


class Parts(NamedTuple):
    """Which rows are for what."""

    train: Int64[np.ndarray, "t"]
    validation: Int64[np.ndarray, "v"]
    test: Int64[np.ndarray, "s"]


def read_multi_label(
    source: Path,
    taxonomy: Taxonomy,
    threshold: float = THRESHOLD,
    label_column: str | None = None,
    layout: Layout | None = None,
) -> ReadMultiLabel:
    """Read pictures with all their labels; of pictures with the same bytes the first is used.

    In the layouts `votes` and `emotion6` an emotion counts when its share of the votes is at least `threshold`;
    elsewhere the labels are those given. Raises DataError when no picture is left, or where the layout is not clear.
    """
    listing = read_layout(source, taxonomy, label_column, layout)
    by_votes = listing.layout in (Layout.VOTES, Layout.EMOTION6)
    samples: dict[str, MultiLabelSample] = {}
    skipped, words = [], Words(taxonomy)
    with progress("reading", len(listing.pictures), "pictures") as advance:
        for picture in listing.pictures:
            found = _read(picture, taxonomy, words, threshold if by_votes else None)
            if isinstance(found, MultiLabelSample) and found.digest in samples:
                found = _duplicate(found, samples[found.digest])
            if isinstance(found, MultiLabelSample):
                samples[found.digest] = found
            else:
                skipped.append(found)
            advance(1)
    if not samples:
        better = fitting_taxonomy(listing, taxonomy)
        hint = "" if better is None else f"; the label set {better!r} has more of its labels"
        reasons = "".join(f"\n  {item.reason}" for item in skipped[:SHOWN])
        raise DataError(f"{source} holds no picture to use with the label set {taxonomy.name!r}{hint}{reasons}")
    return ReadMultiLabel(list(samples.values()), skipped)


def fitting_label_set(source: Path, label_column: str | None = None, layout: Layout | None = None) -> Taxonomy:
    """The shipped label set that knows most of the pictures' labels; Mikels' where none knows more."""
    return read_taxonomy(fitting_taxonomy(read_layout(source, MIKELS, label_column, layout), MIKELS) or MIKELS.name)


def label_matrix(samples: Sequence[MultiLabelSample], n_labels: int) -> Bool[np.ndarray, "n c"]:
    """Which picture has which label."""
    matrix = np.zeros((len(samples), n_labels), dtype=np.bool_)
    for row, sample in enumerate(samples):
        matrix[row, list(sample.labels)] = True
    return matrix


def undersampled(labels: Bool[np.ndarray, "n c"], rng: np.random.Generator) -> Bool[np.ndarray, "n c"]:
    """Thin out labels that stand above twice the mean count, to twice the mean (Choi et al., section 2.2).

    A label that is too frequent is taken off pictures drawn at random; every picture stays, perhaps without a label.
    """
    counts = labels.sum(axis=0)
    most = int(2 * counts.mean())
    thinned = labels.copy()
    for label in np.flatnonzero(counts > most):
        rows = np.flatnonzero(labels[:, label])
        thinned[rng.choice(rows, len(rows) - most, replace=False), label] = False
    return thinned


def load_or_make_parts(path: Path, samples: Sequence[MultiLabelSample], seed: int = 0) -> Parts:
    """The split of a file, or a new one saved there; raises DataError where it does not fit the pictures.

    Pictures are put in order by a hash of seed and content, so that their order in the data does not matter, and a
    picture's copy is no second picture.
    """
    if path.is_file():
        saved = read_json(path, "train", "validation", "test")
        parts = [saved[name] for name in Parts._fields]
        if sorted(digest for part in parts for digest in part) != sorted(sample.digest for sample in samples):
            raise DataError(f"{path} was made for other pictures; take another --out, or that data")
    else:
        parts = _split([sample.digest for sample in samples], seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"seed": seed, **dict(zip(Parts._fields, parts, strict=True))}, indent=0)
    rows = {sample.digest: row for row, sample in enumerate(samples)}
    return Parts(*(np.array(sorted(rows[digest] for digest in part), dtype=np.int64) for part in parts))


def _split(digests: Sequence[str], seed: int) -> list[list[str]]:
    n = len(digests)
    ends = [round(n * SHARES[0]), round(n * (SHARES[0] + SHARES[1]))]
    ordered = sorted(digests, key=lambda digest: hashlib.sha256(f"{seed}:{digest}".encode()).digest())
    parts = [ordered[: ends[0]], ordered[ends[0] : ends[1]], ordered[ends[1] :]]
    if not all(parts):
        raise DataError(f"{n} pictures cannot be split into training, validation and test part; bring 10 or more")
    return parts


def _read(entry: Labelled, taxonomy: Taxonomy, words: Words, threshold: float | None) -> MultiLabelSample | Skipped:
    try:
        labels = _given(entry, taxonomy, words) if threshold is None else _voted(entry, taxonomy, threshold)
    except DataError as error:
        return Skipped(str(entry.path), "unlabelled", str(error))
    try:
        digest = checked_digest(entry.path)
    except PictureError as error:
        return Skipped(str(entry.path), "unreadable", str(error))
    return MultiLabelSample(entry.path, labels, digest)


def _given(entry: Labelled, taxonomy: Taxonomy, words: Words) -> tuple[int, ...]:
    emotions = {label: words.emotion(label) for label in entry.labels}
    unknown = [label for label, emotion in emotions.items() if emotion not in taxonomy.names]
    if unknown:
        known = ", ".join(taxonomy.names)
        raise DataError(f"{entry.path} is labelled {unknown[0]!r}; taxonomy {taxonomy.name!r} has: {known}")
    if not emotions:
        raise DataError(f"{entry.path} has no label")
    return tuple(sorted({taxonomy.index(emotion) for emotion in emotions.values() if emotion is not None}))


def _voted(entry: Labelled, taxonomy: Taxonomy, threshold: float) -> tuple[int, ...]:
    """Votes for emotions that the set lacks count in the shares, as they do for one label a picture."""
    reached = [name for name, share in entry.votes.items() if share >= threshold - ROUNDING]
    labels = tuple(sorted(taxonomy.index(name) for name in reached if name in taxonomy.names))
    if not labels:
        raise DataError(f"{entry.path}: no emotion of {taxonomy.name!r} has a share of {threshold:g} of the votes")
    return labels


def _duplicate(sample: MultiLabelSample, first: MultiLabelSample) -> Skipped:
    conflict = sample.labels != first.labels
    reason = f"{sample.path} has the same bytes as {first.path}" + (" but other labels" if conflict else "")
    return Skipped(str(sample.path), "duplicate", reason, conflict=conflict)
