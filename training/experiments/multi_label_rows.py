"""The rows of the multi-label study, and what the study reports of them.

Source: Choi, Lee and Ryu, "From image to emotion", tables 1 and 2.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from training.multi_label.learn import Recipe
from training.multi_label.method import Method

BASE: Final = "bce"
"""The row that the others are held against."""
PRIOR: Final = {"Pilli et al. 2020": {"mAP": 0.233, "f1": 0.399}, "GCN 2019": {"mAP": 0.332, "f1": 0.470}}
"""As the study's table 2 quotes them; their F1 is "overall"."""


@dataclass(frozen=True)
class MultiLabelRow:
    """A row of the table."""

    key: str
    """Its folder."""
    title: str
    recipe: Recipe
    """Of seed 0."""
    source: Mapping[str, float] = field(default_factory=dict)
    """What the study reports; it does not say for which of its two ways to count labels."""


def rows() -> list[MultiLabelRow]:
    """Plain cross entropy and the study's four experiments, each with all labels and with the frequent ones thinned."""
    studied = (
        (1, 10, 1.0, 0.271, 0.179),
        (2, 10, 2.0, 0.273, 0.176),
        (3, 20, 1.0, 0.252, 0.175),
        (4, 20, 2.0, 0.257, 0.177),
    )
    plain = MultiLabelRow("bce", "cross entropy, all layers at once", Recipe(method=Method.BCE, epochs=20))
    found = [plain] + [
        MultiLabelRow(
            f"experiment{number}",
            f"experiment {number}: {epochs} epochs, margin {margin:g}",
            Recipe(epochs=epochs, margin=margin),
            {"mAP": mean_ap, "macro_f1": f1},
        )
        for number, epochs, margin, mean_ap, f1 in studied
    ]
    return [way for row in found for way in (row, _undersampled(row))]


def _undersampled(row: MultiLabelRow) -> MultiLabelRow:
    recipe = row.recipe.model_copy(update={"undersample": True})
    return MultiLabelRow(f"{row.key}-undersampled", f"{row.title}; undersampled", recipe, row.source)
