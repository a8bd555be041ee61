"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from emotion.runtime import Device, Precision
from training.data.layouts import Layout

ConfigOption = Annotated[str, typer.Option(help="A preset's name or a TOML file.")]
DataOption = Annotated[
    Path, typer.Option(help="Labelled pictures: a CSV, a Parquet file or a folder, see docs/data.md.")
]
OutOption = Annotated[Path, typer.Option(help="Folder for the results.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="<key=value>", help="Override: section.key=value; repeatable.")
]
LabelOption = Annotated[str | None, typer.Option(help="The manifest's column to read labels from.")]
# All of them as the type would be broken anywhere to fit a terminal.
LayoutOption = Annotated[
    Layout | None,
    typer.Option(metavar="<layout>", help=f"How the data lies on disk, where that is not clear: {', '.join(Layout)}."),
]
DeviceOption = Annotated[Device, typer.Option(help="Where the model runs.")]
PrecisionOption = Annotated[Precision, typer.Option(help="Arithmetic of the model.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout and nothing else.")]
BundleOption = Annotated[Path, typer.Option(help="A bundle written by `fit`.")]
WeightsOption = Annotated[
    Path | None, typer.Option(help="The network's ImageNet weights, where no package has them (docs/networks.md).")
]
KnowingTaxonomyOption = Annotated[
    str | None, typer.Option(help="A label set's name or file; without, the shipped one that knows most labels.")
]
VotesOption = Annotated[
    float, typer.Option(min=0.001, max=1, help="Share of a picture's votes from which an emotion counts.")
]
