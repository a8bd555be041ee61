"""Labelled pictures: a collection read against a taxonomy, with content hashes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emotion.bundle import file_sha256
from emotion.collection import Entry, read_collection
from emotion.console import progress
from emotion.errors import DataError
from emotion.taxonomy import Taxonomy


@dataclass(frozen=True)
class Sample:
    """One labelled picture."""

    path: Path
    label: int
    """Index into the taxonomy's emotions."""
    digest: str
    """sha256 of the file's bytes."""


def read_samples(source: Path, taxonomy: Taxonomy, label_column: str | None = None) -> list[Sample]:
    """Read a manifest or class folders.

    Raises DataError when a picture is missing, has no label or several, or a label the taxonomy does not have.
    """
    entries = read_collection(source, label_column)
    if not entries:
        raise DataError(f"{source} holds no pictures")
    labels = [_label(entry, taxonomy) for entry in entries]
    samples = []
    with progress("hashing", len(entries), "pictures") as advance:
        for entry, label in zip(entries, labels, strict=True):
            samples.append(Sample(entry.path, label, _digest(entry)))
            advance(1)
    return samples


def class_counts(samples: Sequence[Sample], taxonomy: Taxonomy) -> dict[str, int]:
    """Pictures per emotion."""
    counts = [0] * len(taxonomy.emotions)
    for sample in samples:
        counts[sample.label] += 1
    return dict(zip(taxonomy.names, counts, strict=True))


def _label(entry: Entry, taxonomy: Taxonomy) -> int:
    if len(entry.labels) != 1:
        found = "several labels" if entry.labels else "no label"
        raise DataError(f"{entry.path} has {found}; training needs one emotion for each picture")
    if entry.labels[0] not in taxonomy.names:
        known = ", ".join(taxonomy.names)
        raise DataError(f"{entry.path} is labelled {entry.labels[0]!r}; taxonomy {taxonomy.name!r} has: {known}")
    return taxonomy.index(entry.labels[0])


def _digest(entry: Entry) -> str:
    try:
        return file_sha256(entry.path)
    except OSError as error:
        raise DataError(f"cannot read {entry.path}: {error.strerror}") from error
