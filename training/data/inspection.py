"""A look at labelled pictures before training: how many, how large, which twice, and what training would say."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from emotion.console import progress
from emotion.errors import ConfigError, DataError, PictureError
from emotion.images import stated_size
from emotion.taxonomy import Taxonomy
from training.checks import emotions_failure, filters_failure, polarity_warning
from training.config import TrainingConfig
from training.data.layouts import Layout, read_layout
from training.data.sampler import BalancedBatches
from training.data.samples import Sample, Skipped, class_counts, fitting_taxonomy, read_listing, why_none
from training.data.splits import hold_out

SHOWN = 5
"""Skipped pictures of each kind that the text names; inspect.json names all."""


class Sides(NamedTuple):
    """Smallest, median and largest, in pixels."""

    least: int
    median: int
    most: int


@dataclass(frozen=True)
class Inspection:
    """What a data set is like."""

    source: Path
    layout: Layout
    taxonomy: Taxonomy
    samples: list[Sample]
    skipped: list[Skipped]
    shorter: Sides | None
    longer: Sides | None
    """None where there is no picture to measure."""
    unused_columns: tuple[str, ...]
    warnings: tuple[str, ...]
    failures: tuple[str, ...]
    """What would end a training with an error."""


def inspect(
    source: Path,
    config: TrainingConfig,
    taxonomy: Taxonomy,
    layout: Layout | None = None,
    label_column: str | None = None,
) -> Inspection:
    """Read every picture as a training would; raises DataError only where the layout cannot be made out."""
    listing = read_layout(source, taxonomy, label_column, layout)
    samples, skipped = read_listing(listing, taxonomy)
    sizes = _sizes(samples)
    failures = training_failures(samples, config, taxonomy)
    if (better := fitting_taxonomy(listing, taxonomy)) is not None:
        hint = f"{better!r} knows more of these labels than the label set {taxonomy.name!r}"
        failures, warnings = (failures, [hint]) if samples else ([*failures, hint], [])
    else:
        warnings = []
        if not samples:
            failures += why_none(source, listing, skipped)
    warnings += _warnings(samples, skipped, sizes, config, taxonomy)
    return Inspection(
        source,
        listing.layout,
        taxonomy,
        samples,
        skipped,
        _sides(sizes.min(axis=1)),
        _sides(sizes.max(axis=1)),
        listing.unused,
        tuple(warnings),
        tuple(failures),
    )


def training_failures(samples: Sequence[Sample], config: TrainingConfig, taxonomy: Taxonomy) -> list[str]:
    """What `fit` would stop for, found by doing what it does before the first step."""
    failure = emotions_failure((sample.label for sample in samples), config.network, taxonomy)
    if failure is not None:
        return [failure]
    failures = []
    try:
        samples, _ = hold_out(samples, config.data.validation_fraction, config.seed)
    except DataError as error:
        failures.append(str(error))
    try:
        if config.loop.epochs:
            BalancedBatches([s.label for s in samples], config.data.batch_size, config.data.min_per_class, config.seed)
    except ConfigError as error:
        failures.append(str(error))
    if (failure := filters_failure(config.network, taxonomy)) is not None:
        failures.append(failure)
    return failures


def as_json(found: Inspection) -> dict[str, Any]:
    """The content of inspect.json; sizes in pixels."""
    return {
        "data": str(found.source),
        "layout": found.layout.value,
        "taxonomy": found.taxonomy.name,
        "pictures": len(found.samples),
        "counts": class_counts(found.samples, found.taxonomy),
        "with_votes": sum(sample.votes is not None for sample in found.samples),
        "shorter_side_px": None if found.shorter is None else found.shorter._asdict(),
        "longer_side_px": None if found.longer is None else found.longer._asdict(),
        "skipped": [
            {"path": item.path, "kind": item.kind, "conflict": item.conflict, "reason": item.reason}
            for item in found.skipped
        ],
        "unused_columns": list(found.unused_columns),
        "warnings": list(found.warnings),
        "failures": list(found.failures),
    }


def as_text(found: Inspection) -> str:
    """The same for people; of each kind of skipped pictures the first few."""
    counts = class_counts(found.samples, found.taxonomy)
    width = max(map(len, counts))
    voted = sum(sample.votes is not None for sample in found.samples)
    lines = [
        f"{found.source}: layout {found.layout.value}, label set {found.taxonomy.name}",
        f"{len(found.samples)} pictures to use" + (f", {voted} with votes" if voted else ""),
        *(f"  {name:<{width}} {count:>6}" for name, count in counts.items()),
    ]
    if found.shorter and found.longer:
        lines += [_side_line("shorter", found.shorter), _side_line("longer", found.longer)]
    if found.unused_columns:
        lines.append(f"columns not used: {', '.join(found.unused_columns)}")
    for kind, items in sorted(_by_kind(found.skipped).items()):
        lines.append(f"{len(items)} skipped: {kind}")
        lines += [f"  {item.reason}" for item in items[:SHOWN]]
        lines += [f"  and {len(items) - SHOWN} more"] if len(items) > SHOWN else []
    lines += [f"warning: {text}" for text in found.warnings]
    lines += [f"training would fail: {text}" for text in found.failures]
    return "\n".join(lines)


def _warnings(
    samples: Sequence[Sample], skipped: Sequence[Skipped], sizes: np.ndarray, config: TrainingConfig, taxonomy: Taxonomy
) -> list[str]:
    found = []
    conflicts = sum(item.conflict for item in skipped)
    if conflicts:
        found.append(f"pictures that are there again under another label, of which the first counts: {conflicts}")
    absent = [name for name, count in class_counts(samples, taxonomy).items() if count == 0]
    if samples and absent:
        found.append(f"no picture of {', '.join(absent)}: the model will hardly ever name them")
    small = int((sizes.min(axis=1) < config.preprocess.size_px).sum())
    if small:
        found.append(f"pictures with a side below {config.preprocess.size_px} px, which are enlarged: {small}")
    if (text := polarity_warning(config.loss, taxonomy)) is not None:
        found.append(text)
    return found


def _sizes(samples: Sequence[Sample]) -> np.ndarray:
    """Width and height of each picture, Int64 "n 2"."""
    sizes = []
    with progress("measuring", len(samples), "pictures") as advance:
        for sample in samples:
            try:
                sizes.append(stated_size(sample.path))
            except PictureError as error:  # it could be read a moment ago
                raise DataError(f"{error}; it changed while it was looked at") from error
            advance(1)
    return np.array(sizes, dtype=np.int64).reshape(-1, 2)


def _sides(sides: np.ndarray) -> Sides | None:
    return Sides(int(sides.min()), int(np.median(sides)), int(sides.max())) if len(sides) else None


def _side_line(name: str, sides: Sides) -> str:
    return f"{name} side: {sides.least} px at least, median {sides.median}, {sides.most} at most"


def _by_kind(skipped: Sequence[Skipped]) -> dict[str, list[Skipped]]:
    """Unlike labels of the same picture first among the duplicates: they are what has to be mended."""
    kinds: dict[str, list[Skipped]] = {kind: [] for kind in Counter(item.kind for item in skipped)}
    for item in sorted(skipped, key=lambda item: not item.conflict):
        kinds[item.kind].append(item)
    return kinds
