"""Labelled pictures: a collection read against a taxonomy, with content hashes.

Pictures that cannot be used are skipped and listed, never fatal and never silent.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from emotion.collection import Entry, read_collection
from emotion.console import progress, say
from emotion.errors import DataError, PictureError
from emotion.images import decode, read_picture_bytes
from emotion.taxonomy import Taxonomy

CHECKED_SIDE_PX = 32
"""Decoding reduced to this is enough to know that a picture can be decoded."""
SHOWN = 5


@dataclass(frozen=True)
class Sample:
    """One labelled picture."""

    path: Path
    label: int
    """Index into the taxonomy's emotions."""
    digest: str
    """sha256 of the file's bytes."""


@dataclass(frozen=True)
class Skipped:
    """A picture that is not used, and why."""

    path: str
    kind: str
    """unreadable, unlabelled or duplicate."""
    reason: str


class ReadSamples(NamedTuple):
    """What a collection holds."""

    samples: list[Sample]
    skipped: list[Skipped]


def read_samples(source: Path, taxonomy: Taxonomy, label_column: str | None = None) -> ReadSamples:
    """Read a manifest or class folders; of pictures with the same bytes the first is used.

    Raises DataError when no picture is left, with the first reasons.
    """
    entries = read_collection(source, label_column)
    samples: dict[str, Sample] = {}
    skipped = []
    with progress("reading", len(entries), "pictures") as advance:
        for entry in entries:
            found = _read(entry, taxonomy)
            if isinstance(found, Sample) and found.digest in samples:
                found = _duplicate(found, samples[found.digest], taxonomy)
            if isinstance(found, Sample):
                samples[found.digest] = found
            else:
                skipped.append(found)
            advance(1)
    if not samples:
        raise DataError(f"{source} holds no picture to use" + "".join(f"\n  {item.reason}" for item in skipped[:SHOWN]))
    return ReadSamples(list(samples.values()), skipped)


def report_skipped(skipped: Sequence[Skipped], out: Path) -> None:
    """Say what was skipped and list it in `out`/skipped.json; writes an empty list where nothing was."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "skipped.json"
    path.write_text(json.dumps([asdict(item) for item in skipped], indent=1) + "\n")
    if skipped:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(Counter(s.kind for s in skipped).items()))
        say(f"skipped {len(skipped)} pictures ({kinds}); listed in {path}, the first:")
        for item in skipped[:SHOWN]:
            say(f"  {item.reason}")


def class_counts(samples: Sequence[Sample], taxonomy: Taxonomy) -> dict[str, int]:
    """Pictures per emotion."""
    counts = Counter(sample.label for sample in samples)
    return {name: counts[label] for label, name in enumerate(taxonomy.names)}


def _read(entry: Entry, taxonomy: Taxonomy) -> Sample | Skipped:
    if len(entry.labels) != 1:
        found = "several labels" if entry.labels else "no label"
        return Skipped(str(entry.path), "unlabelled", f"{entry.path} has {found}; training needs one emotion a picture")
    (label,) = entry.labels
    if label not in taxonomy.names:
        known = ", ".join(taxonomy.names)
        reason = f"{entry.path} is labelled {label!r}; taxonomy {taxonomy.name!r} has: {known}"
        return Skipped(str(entry.path), "unlabelled", reason)
    try:
        data = read_picture_bytes(entry.path)
        decode(data, min_side=CHECKED_SIDE_PX, name=str(entry.path))
    except PictureError as error:
        return Skipped(str(entry.path), "unreadable", str(error))
    return Sample(entry.path, taxonomy.index(label), hashlib.sha256(data).hexdigest())


def _duplicate(sample: Sample, first: Sample, taxonomy: Taxonomy) -> Skipped:
    reason = f"{sample.path} has the same bytes as {first.path}"
    if sample.label != first.label:
        reason += f" but is labelled {taxonomy.names[sample.label]!r}, not {taxonomy.names[first.label]!r}"
    return Skipped(str(sample.path), "duplicate", reason)
