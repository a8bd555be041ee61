"""Commands that judge a bundle: `evaluate`, `robustness`, `familiarity`, `valence`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from emotion.console import print_json, say, show, show_figures
from emotion.runtime import Device, Precision
from training.commands.options import (
    BundleOption,
    DataOption,
    DeviceOption,
    JsonOption,
    LabelOption,
    LayoutOption,
    OutOption,
    PrecisionOption,
)
from training.data.layouts import Layout


def evaluate(
    bundle: BundleOption,
    data: DataOption,
    out: OutOption,
    gallery: Annotated[Path | None, typer.Option(help="Labelled pictures to search; leave-one-out without.")] = None,
    label_column: LabelOption = None,
    layout: LayoutOption = None,
    gallery_layout: Annotated[Layout | None, typer.Option(metavar="<layout>", help="The same of --gallery.")] = None,
    device: DeviceOption = Device.AUTO,
    precision: PrecisionOption = Precision.FP32,
    keep_training_pictures: Annotated[
        bool, typer.Option("--keep-training-pictures", help="Judge also on pictures the bundle was trained on.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Judge a bundle on labelled pictures; prints its figures (fractions 0..1) and writes OUT/report.html.

    Retrieval is leave-one-out among the pictures, or against `--gallery`. Ties go by content hash. Pictures the
    bundle was trained on are left out of the queries, and named.

    Examples:

      python -m training evaluate --bundle runs/first/bundle --data test-photos --out runs/test
    """
    from emotion.predictor import Predictor
    from training.assess import (
        assess,
        gallery_label_column,
        leave_out_queries,
        leave_out_training_pictures,
        refuse_multi_label,
    )
    from training.data.names import source_name
    from training.data.samples import read_samples, report_skipped
    from training.distributed import refuse_several

    refuse_several("evaluate")
    predictor = Predictor.open(bundle, device, precision)
    refuse_multi_label(predictor.bundle)
    queries, skipped = read_samples(data, predictor.taxonomy, label_column, layout)
    database = None
    if not keep_training_pictures:
        remedy = "name others, or pass --keep-training-pictures"
        queries = leave_out_training_pictures(predictor.bundle, queries, remedy)
    if gallery is not None:
        column = gallery_label_column(gallery, label_column, gallery_layout)
        database, skipped_gallery = read_samples(gallery, predictor.taxonomy, column, gallery_layout)
        database = leave_out_queries(predictor.bundle, database, queries)
        skipped += skipped_gallery
    report_skipped(skipped, out)
    figures = assess(predictor, queries, out / "report.html", gallery=database, data_name=source_name(data))
    (out / "metrics.json").write_text(json.dumps(figures, indent=1) + "\n")
    show_figures(figures, as_json=as_json)
    say(f"written: {out / 'report.html'}")


def robustness(
    bundle: BundleOption,
    data: DataOption,
    out: OutOption,
    label_column: LabelOption = None,
    layout: LayoutOption = None,
    device: DeviceOption = Device.AUTO,
    as_json: JsonOption = False,
) -> None:
    """Judge a bundle on pictures that were cropped, recompressed, darkened, ...; prints a table, writes a JSON file.

    Pictures the bundle was trained on are left out.

    Examples:

      python -m training robustness --bundle runs/first/bundle --data test-photos --out runs/test
    """
    from emotion.predictor import Predictor
    from training.assess import leave_out_training_pictures, refuse_multi_label
    from training.data.samples import read_samples, report_skipped
    from training.distributed import refuse_several
    from training.evaluation.robustness import as_json as as_json_rows
    from training.evaluation.robustness import as_table, measure_robustness

    refuse_several("robustness")
    predictor = Predictor.open(bundle, device)
    refuse_multi_label(predictor.bundle)
    samples, skipped = read_samples(data, predictor.taxonomy, label_column, layout)
    rows = measure_robustness(predictor, leave_out_training_pictures(predictor.bundle, samples))
    report_skipped(skipped, out)
    target = out / "robustness.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(as_json_rows(rows), indent=1) + "\n")
    if as_json:
        print_json(as_json_rows(rows))
    else:
        show(as_table(rows))
    say(f"written: {target}")


def familiarity(
    bundle: BundleOption,
    data: Annotated[Path, typer.Option(help="Pictures of the kind that the model is for, labelled or not.")],
    others: Annotated[list[Path] | None, typer.Option(help="Pictures to compare with them; repeatable.")] = None,
    as_json: JsonOption = False,
    device: DeviceOption = Device.AUTO,
    precision: PrecisionOption = Precision.FP32,
) -> None:
    """Measure how well a bundle tells non-photos (noise, text, charts, ...) from pictures like those it learnt from.

    Pictures the bundle was trained on are left out. AUC: how often a picture of that kind is less familiar than one
    of `--data`; .5 is chance.

    Examples:

      python -m training familiarity --bundle runs/first/bundle --data photos --others paintings
    """
    from emotion.predictor import Predictor
    from training.distributed import refuse_several
    from training.evaluation.familiarity import as_json as as_json_rows
    from training.evaluation.familiarity import as_table, measure_familiarity

    refuse_several("familiarity")
    rows = measure_familiarity(Predictor.open(bundle, device, precision), data, others or ())
    if as_json:
        print_json(as_json_rows(rows))
    else:
        show(as_table(rows))


def valence(
    bundle: BundleOption,
    data: Annotated[Path, typer.Option(help="Pictures with a column `valence`, such as Emotion6; any label set.")],
    layout: LayoutOption = None,
    middle: Annotated[float, typer.Option(help="Neither pleasant nor unpleasant on the data's scale.")] = 5.0,
    device: DeviceOption = Device.AUTO,
    precision: PrecisionOption = Precision.FP32,
    as_json: JsonOption = False,
) -> None:
    """Hold a bundle's P(positive) against how pleasant people rated pictures.

    Spearman's rank correlation with its 95 % interval, and the AUC of pleasant against unpleasant.

    Examples:

      python -m training valence --bundle runs/first/bundle --data emotion6
    """
    from emotion.predictor import Predictor
    from training.distributed import refuse_several
    from training.evaluation.valence import measure_valence

    refuse_several("valence")
    figures = measure_valence(Predictor.open(bundle, device, precision), data, layout, middle)._asdict()
    rounded = {name: round(value, 5) if isinstance(value, float) else value for name, value in figures.items()}
    show_figures(rounded, as_json=as_json)
