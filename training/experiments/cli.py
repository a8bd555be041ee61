"""Commands `training experiment ...`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from emotion.command_line import Command, command_line
from emotion.console import print_json, say, show
from emotion.network.spec import LITE0
from emotion.runtime import Device
from training.commands.options import (
    DataOption,
    JsonOption,
    KnowingTaxonomyOption,
    LabelOption,
    LayoutOption,
    VotesOption,
    WeightsOption,
)
from training.experiments.budget import Budget

app = command_line(help="The source documents' experiments, side by side.")

OutOption = Annotated[Path, typer.Option(help="Folder for the results; another for other settings.")]
SettingOption = Annotated[
    Budget, typer.Option(help="quick: one fold, one seed, small pictures; full: five folds, three seeds, for a GPU.")
]
FoldsOption = Annotated[str | None, typer.Option(help="Run these of five in place of the setting's, e.g. 0,1,2.")]
SeedsOption = Annotated[int | None, typer.Option(min=1, help="So many seeds in place of the setting's.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="<key=value>", help="Override in every row: section.key=value; repeatable."),
]
RowsOption = Annotated[str | None, typer.Option(help="Only these rows by their keys, e.g. softmax,triplet.")]
KeepOption = Annotated[bool, typer.Option("--keep-bundles", help="Leave the models in OUT/rows.")]


@app.command(cls=Command)
def multilabel(
    data: Annotated[Path, typer.Option(help="Pictures with several labels each, see docs/studies/multilabel.md.")],
    out: Annotated[Path, typer.Option(help="Folder for the results.")],
    setting: Annotated[Budget, typer.Option(help="How much is run: quick is one seed, full five.")] = Budget.QUICK,
    seeds: Annotated[str | None, typer.Option(help="These instead, e.g. 0,1,2.")] = None,
    taxonomy: KnowingTaxonomyOption = None,
    threshold: VotesOption = 0.2,
    backbone: Annotated[str, typer.Option(help="The frozen network; the study has resnet50.")] = LITE0,
    weights: WeightsOption = None,
    label_column: LabelOption = None,
    layout: LayoutOption = None,
    device: Annotated[Device, typer.Option(help="Where the features are computed.")] = Device.AUTO,
    as_json: JsonOption = False,
) -> None:
    """Several labels a picture: triplets by likeness of labels (the four settings of Choi et al.) and cross entropy.

    Each with all labels and with the frequent ones thinned out. Writes OUT/multilabel.md and OUT/multilabel.json; what
    is done is kept, so the same command goes on after an interrupt.

    Examples:

      python -m training experiment multilabel --data emotion6 --out runs/multilabel

      python -m training experiment multilabel --data ads --out runs/ads --backbone resnet50 --weights FILE
    """
    from training.distributed import refuse_several
    from training.experiments.multi_label import run, wanted_seeds
    from training.multi_label.features import FrozenBackbone
    from training.multi_label.source import read_source
    from training.run import pick_device

    refuse_several("experiment multilabel")
    numbers = wanted_seeds(seeds, full=setting is Budget.FULL)
    frozen = FrozenBackbone.open(backbone, weights)
    samples, label_set = read_source(data, taxonomy, threshold, label_column, layout, out)
    _report("multilabel", out, run(samples, label_set, frozen, out, numbers, device=pick_device(device)), as_json)


@app.command(cls=Command)
def transfer(
    bundle: Annotated[Path, typer.Option(help="The model to go on from, written by `fit`.")],
    data: DataOption,
    out: OutOption,
    setting: Annotated[Budget, typer.Option(help="quick: small pictures, 8 epochs; full: three seeds.")] = Budget.QUICK,
    taxonomy: Annotated[str | None, typer.Option(help="The data's label set; without, the bundle's.")] = None,
    per_class: Annotated[
        int | None,
        typer.Option(min=10, help="At most so many pictures of an emotion; quick: 40."),
    ] = None,
    folds: Annotated[str, typer.Option(help="Of five, run only these.")] = "0,1,2,3,4",
    weights: WeightsOption = None,
    label_column: LabelOption = None,
    layout: LayoutOption = None,
    device: Annotated[Device, typer.Option(help="Where all is computed.")] = Device.AUTO,
    as_json: JsonOption = False,
) -> None:
    """What a model is worth on another, small data set: as it is, frozen, fine-tuned, and beside a start from ImageNet.

    Five folds; retrieval leave-one-out as the paper has it on IAPSa, ArtPhoto and Abstract, and in an unseen gallery.
    Writes OUT/transfer.md and OUT/transfer.json; what is done is kept, so the same command goes on after an interrupt.

    Examples:

      python -m training experiment transfer --bundle models/mikels-lite0 --data testImages_artphoto --out runs/artphoto

      python -m training experiment transfer --bundle models/mikels-lite0 --data six --taxonomy emotion6 --out runs/six
    """
    from training.data.splits import fold_numbers
    from training.distributed import refuse_several
    from training.experiments.recipes import N_FOLDS
    from training.experiments.transfer import run

    refuse_several("experiment transfer")
    table = run(
        bundle,
        data,
        out,
        setting=setting,
        taxonomy=taxonomy,
        label_column=label_column,
        layout=layout,
        per_class=per_class,
        weights=weights,
        device=device,
        numbers=fold_numbers(folds, N_FOLDS),
    )
    _report("transfer", out, table, as_json)


@app.command(cls=Command)
def table1(
    data: DataOption,
    out: OutOption,
    setting: SettingOption = Budget.QUICK,
    folds: FoldsOption = None,
    seeds: SeedsOption = None,
    rows: RowsOption = None,
    backbone: Annotated[str, typer.Option(help="The network of all rows; the paper's is googlenet_bvlc.")] = LITE0,
    weights: WeightsOption = None,
    set_: SetOption = None,
    keep_bundles: KeepOption = False,
    label_column: LabelOption = None,
    layout: LayoutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Table 1 of the AAAI-18 paper: center, triplet and sentiment constraints, FC feature and sentiment vector.

    The paper's eight rows from its random start, this project's recipe and its untrained start. Writes OUT/table1.md
    and OUT/table1.json after every row; what is done is kept, so the same command goes on after an interrupt.

    Examples:

      python -m training experiment table1 --data fi-mini --out runs/table1

      python -m training experiment table1 --data fi-mini --out runs/table1 --folds 0,1,2,3,4

      python -m training experiment table1 --data FI --out runs/fi --setting full --backbone resnet50 --weights FILE
    """
    from training.distributed import refuse_several
    from training.experiments.choice import choose_rows
    from training.experiments.inputs import read_inputs
    from training.experiments.recipes import FOLDS
    from training.experiments.runner import run_rows
    from training.experiments.table1 import make_rows, study
    from training.experiments.trained import config_of

    refuse_several("experiment table1")
    every = make_rows(setting, backbone=backbone, weights=weights, sets=set_ or (), n_seeds=seeds)
    about, chosen = choose_rows(study(every, set_ or ()), every, rows)
    inputs = read_inputs(
        config_of(every[0]), data, out, folds or FOLDS[setting], label_column=label_column, layout=layout
    )
    found = run_rows(about, chosen, out=out, keep_bundles=keep_bundles, **inputs._asdict())
    _report("table1", out, found, as_json)


@app.command(cls=Command)
def table2(
    data: DataOption,
    out: OutOption,
    setting: SettingOption = Budget.QUICK,
    folds: FoldsOption = None,
    seeds: SeedsOption = None,
    rows: RowsOption = None,
    backbone: Annotated[str, typer.Option(help="The network beside the paper's; the default needs no file.")] = LITE0,
    weights: WeightsOption = None,
    alexnet_weights: Annotated[Path | None, typer.Option(help="ImageNet weights of alexnet.")] = None,
    vgg_weights: Annotated[Path | None, typer.Option(help="ImageNet weights of vgg16.")] = None,
    googlenet_weights: Annotated[
        Path | None, typer.Option(help="ImageNet weights of googlenet_bvlc, the paper's network.")
    ] = None,
    sentibank: Annotated[
        Path | None, typer.Option(help="SentiBank features, .npz or .csv, see docs/studies/table2.md.")
    ] = None,
    deep_sentibank: Annotated[Path | None, typer.Option(help="DeepSentiBank features, likewise.")] = None,
    set_: SetOption = None,
    keep_bundles: KeepOption = False,
    label_column: LabelOption = None,
    layout: LayoutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Table 2 of the AAAI-18 paper: SIFT, HOG, Gabor, untouched networks and fine-tuned ones by eight figures.

    A row that needs a file is not run without it, and says so. Writes OUT/table2.md and OUT/table2.json after every
    row; what is done is kept, so the same command goes on after an interrupt. With the OUT of `table1` the rows that
    both have are run once.

    Examples:

      python -m training experiment table2 --data fi-mini --out runs/tables

      python -m training experiment table2 --data fi-mini --out runs/tables --rows sift,hog,gabor,imagenet

      python -m training experiment table2 --data fi-mini --out runs/tables --googlenet-weights FILE
    """
    from training.distributed import refuse_several
    from training.experiments.choice import choose_rows
    from training.experiments.inputs import read_inputs
    from training.experiments.recipes import FOLDS
    from training.experiments.runner import run_rows
    from training.experiments.table2 import Files, Table2

    refuse_several("experiment table2")
    files = Files(alexnet_weights, vgg_weights, googlenet_weights, sentibank, deep_sentibank)
    table = Table2(setting, backbone, weights, files, set_ or (), seeds)
    inputs = read_inputs(table.base, data, out, folds or FOLDS[setting], label_column=label_column, layout=layout)
    about, chosen = choose_rows(table.study(), table.rows(inputs.taxonomy, inputs.samples), rows)
    found = run_rows(about, chosen, out=out, keep_bundles=keep_bundles, **inputs._asdict())
    _report("table2", out, found, as_json)


@app.command(cls=Command)
def hyper(
    data: DataOption,
    out: OutOption,
    setting: SettingOption = Budget.QUICK,
    config: Annotated[str, typer.Option(help="The base recipe: a preset's name or a TOML file.")] = "default",
    folds: FoldsOption = None,
    seeds: SeedsOption = None,
    backbone: Annotated[str | None, typer.Option(help="The network, where not the recipe's.")] = None,
    weights: WeightsOption = None,
    set_: SetOption = None,
    keep_bundles: KeepOption = False,
    label_column: LabelOption = None,
    layout: LayoutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sweep the weight w of the sentiment loss and its margin alpha2, and hold the AAAI-18 paper's claims against it.

    Twelve trainings around one base, which both sweeps share. Writes OUT/hyper.md and OUT/hyper.json after every row;
    what is done is kept, so the same command goes on after an interrupt.

    Examples:

      python -m training experiment hyper --data fi-mini --out runs/hyper
    """
    from training.distributed import refuse_several
    from training.experiments.hyper import Sweep
    from training.experiments.inputs import read_inputs
    from training.experiments.recipes import FOLDS
    from training.experiments.runner import run_rows

    refuse_several("experiment hyper")
    sweep = Sweep(config, setting, backbone=backbone, weights=weights, sets=set_ or (), n_seeds=seeds)
    inputs = read_inputs(sweep.base, data, out, folds or FOLDS[setting], label_column=label_column, layout=layout)
    found = run_rows(sweep.study(), sweep.rows(), out=out, keep_bundles=keep_bundles, **inputs._asdict())
    _report("hyper", out, found, as_json)


def _report(name: str, out: Path, table: str, as_json: bool) -> None:
    written = out / f"{name}.json"
    if as_json:
        print_json(json.loads(written.read_text()))
    else:
        show(table)
    say(f"written: {out / name}.md, {written}")
