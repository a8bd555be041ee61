"""Labelled pictures: a folder or a table of any layout read against a taxonomy, with content hashes.

Pictures that cannot be used are skipped and listed, never fatal and never silent.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from emotion.console import progress, say
from emotion.errors import DataError, PictureError
from emotion.images import decode, read_picture_bytes
from emotion.taxonomy import Taxonomy, read_taxonomy, taxonomy_names
from training.data.layouts import Labelled, Layout, Listing, read_layout
from training.data.missing_labels import missing_labels
from training.data.votes import Words

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
    votes: tuple[float, ...] | None = None
    """Share of the votes for each emotion of the taxonomy, where people voted; below 1 in sum where some voted for an
    emotion that the taxonomy lacks."""
    valence: float | None = None
    arousal: float | None = None


@dataclass(frozen=True)
class Skipped:
    """A picture that is not used, and why."""

    path: str
    kind: str
    """unreadable, unlabelled, tie or duplicate."""
    reason: str
    conflict: bool = False
    """A duplicate under another label than the first."""


class ReadSamples(NamedTuple):
    """What a data set holds."""

    samples: list[Sample]
    skipped: list[Skipped]


def read_samples(
    source: Path, taxonomy: Taxonomy, label_column: str | None = None, layout: Layout | None = None
) -> ReadSamples:
    """Read labelled pictures of any layout; of pictures with the same bytes the first is used.

    A label that comes from votes is the emotion named most; a picture on whose emotion people tie is skipped.
    Raises DataError when no picture is left, with what may be the cause and the first reasons, or where the layout is
    not clear.
    """
    listing = read_layout(source, taxonomy, label_column, layout)
    samples, skipped = read_listing(listing, taxonomy)
    if not samples:
        cause = _better_taxonomy(listing, taxonomy) or "; ".join(["", *why_none(source, listing, skipped)])
        reasons = "".join(f"\n  {item.reason}" for item in skipped[:SHOWN])
        raise DataError(f"{source} holds no picture to use{cause}{reasons}")
    return ReadSamples(samples, skipped)


def read_listing(listing: Listing, taxonomy: Taxonomy) -> ReadSamples:
    """Read the pictures of a listing; there may be none to use. Case and blanks around a label do not count."""
    samples: dict[str, Sample] = {}
    skipped = []
    words = Words(taxonomy)
    with progress("reading", len(listing.pictures), "pictures") as advance:
        for picture in listing.pictures:
            found = _read(picture, taxonomy, words)
            if isinstance(found, Sample) and found.digest in samples:
                found = _duplicate(found, samples[found.digest], taxonomy)
            if isinstance(found, Sample):
                samples[found.digest] = found
            else:
                skipped.append(found)
            advance(1)
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


def why_none(source: Path, listing: Listing, skipped: Sequence[Skipped]) -> list[str]:
    """What a source without a picture to use may lack; empty where its labels are not what is wrong."""
    if any(item.kind != "unlabelled" for item in skipped):
        return []
    return missing_labels(source, listing)


def fitting_taxonomy(listing: Listing, taxonomy: Taxonomy) -> str | None:
    """The shipped label set that knows most pictures' labels, if that is more than the one at hand knows."""
    labels = Counter(label for picture in listing.pictures for label in picture.labels)

    def known(other: Taxonomy) -> int:
        words, names = Words(other), set(other.names)
        return sum(count for label, count in labels.items() if words.emotion(label) in names)

    shipped = [read_taxonomy(name) for name in taxonomy_names()]
    best = max(shipped, key=lambda other: (known(other), -len(other.names)))
    return best.name if known(best) > known(taxonomy) else None


def _better_taxonomy(listing: Listing, taxonomy: Taxonomy) -> str:
    name = fitting_taxonomy(listing, taxonomy)
    return "" if name is None else f" with the label set {taxonomy.name!r}; {name!r} has more of its labels"


def checked_digest(path: Path) -> str:
    """sha256 of a picture's bytes; raises PictureError where it cannot be decoded."""
    data = read_picture_bytes(path)
    decode(data, min_side=CHECKED_SIDE_PX, name=str(path))
    return hashlib.sha256(data).hexdigest()


def _read(entry: Labelled, taxonomy: Taxonomy, words: Words) -> Sample | Skipped:
    if len(entry.labels) != 1:
        return _without_label(entry)
    (label,) = entry.labels
    emotion = words.emotion(label)
    if emotion not in taxonomy.names:
        known = ", ".join(taxonomy.names)
        reason = f"{entry.path} is labelled {label!r}; taxonomy {taxonomy.name!r} has: {known}"
        return Skipped(str(entry.path), "unlabelled", reason)
    try:
        digest = checked_digest(entry.path)
    except PictureError as error:
        return Skipped(str(entry.path), "unreadable", str(error))
    return Sample(
        entry.path,
        taxonomy.index(emotion),
        digest,
        tuple(entry.votes.get(name, 0.0) for name in taxonomy.names) if entry.votes else None,
        entry.valence,
        entry.arousal,
    )


def _without_label(entry: Labelled) -> Skipped:
    if len(entry.labels) > 1 and entry.votes:
        names = " and ".join(entry.labels)
        return Skipped(str(entry.path), "tie", f"{entry.path} got as many votes for {names}; no majority, no label")
    found = "several labels" if entry.labels else "no label"
    several = "; `experiment multilabel` and `fit-multilabel` take several" if entry.labels else ""
    reason = f"{entry.path} has {found}; training needs one emotion a picture{several}"
    return Skipped(str(entry.path), "unlabelled", reason)


def _duplicate(sample: Sample, first: Sample, taxonomy: Taxonomy) -> Skipped:
    reason = f"{sample.path} has the same bytes as {first.path}"
    if sample.label != first.label:
        reason += f" but is labelled {taxonomy.names[sample.label]!r}, not {taxonomy.names[first.label]!r}"
    return Skipped(str(sample.path), "duplicate", reason, conflict=sample.label != first.label)
