"""What a multi-label command reads of its `--data`, and what it says of it."""

from pathlib import Path

from emotion.console import say
from emotion.taxonomy import Taxonomy, read_taxonomy
from training.data.layouts import Layout
from training.data.multi_label import MultiLabelSample, fitting_label_set, label_matrix, read_multi_label
from training.data.samples import report_skipped


def read_source(
    data: Path, taxonomy: str | None, threshold: float, label_column: str | None, layout: Layout | None, out: Path
) -> tuple[list[MultiLabelSample], Taxonomy]:
    """Pictures and label set; says how many labels a picture has, and lists in `out` what was left out."""
    given = read_taxonomy(taxonomy) if taxonomy is not None else None
    label_set = given or fitting_label_set(data, label_column, layout)
    samples, skipped = read_multi_label(data, label_set, threshold, label_column, layout)
    report_skipped(skipped, out)
    counts = label_matrix(samples, len(label_set.names)).sum(axis=0)
    say(f"{len(samples)} pictures, label set {label_set.name}, {counts.sum() / len(samples):.2f} labels a picture:")
    say("  " + ", ".join(f"{count} {name}" for name, count in zip(label_set.names, counts, strict=True)))
    return samples, label_set
