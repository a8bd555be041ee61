"""Command line of the trainer: fit, evaluate, crossval, compare, card, robustness, data, taxonomies, networks, ..."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emotion import console
from emotion.console import EXIT_INTERRUPTED, say
from emotion.errors import ConfigError, DataError
from emotion.network.spec import LITE0
from emotion.runtime import Device, Precision
from training.data.layouts import Layout
from training.experiments.cli import app as experiment_app
from training.multi_label.method import Method

if TYPE_CHECKING:
    from emotion.bundle import Bundle
    from training.config import TrainingConfig
    from training.data.samples import Sample

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Train, evaluate and export models of picture emotions.",
)

data_app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", help="Look at labelled pictures.")
app.add_typer(data_app, name="data")
app.add_typer(experiment_app, name="experiment")

ConfigOption = Annotated[str, typer.Option(help="A preset's name or a TOML file.")]
DataOption = Annotated[Path, typer.Option(help="Labelled pictures: a CSV or a folder, see docs/data.md.")]
OutOption = Annotated[Path, typer.Option(help="Folder for the results.")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="Override: section.key=value; repeatable.")]
LabelOption = Annotated[str | None, typer.Option(help="The manifest's column to read labels from.")]
LayoutOption = Annotated[Layout | None, typer.Option(help="How the data lies on disk, where that is not clear.")]


@app.command()
def fit(
    data: DataOption,
    out: OutOption,
    config: ConfigOption = "default",
    set_: SetOption = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in --out.")] = False,
    gallery: Annotated[Path | None, typer.Option(help="Pictures to index with the new model.")] = None,
    store: Annotated[Path | None, typer.Option(help="Where the index of --gallery goes.")] = None,
    label_column: LabelOption = None,
    layout: LayoutOption = None,
) -> None:
    """Train a model; writes OUT/bundle, OUT/metrics.json and, judged on the validation part, OUT/report.html.

    Ctrl-C is safe: the same command with `--resume` goes on after the last finished epoch, with the same result as
    an unbroken run. On several GPUs start it with torchrun: docs/training-on-gpus.md.

    Examples:

    `python -m training fit --config default --data photos --out runs/first`

    `python -m training fit --data photos --out runs/quick --set network.freeze_trunk=true --set loop.epochs=5`

    `python -m training fit --data photos --out runs/first --gallery photos --store store`

    `torchrun --nproc-per-node 2 -m training fit --data photos --out runs/first`
    """
    from emotion.collection import read_collection
    from training.config import load_config
    from training.data.names import source_name
    from training.distributed import join_processes
    from training.run import fit_and_assess, pick_device

    if (gallery is None) != (store is None):
        raise ConfigError("--gallery and --store go together: which pictures to index, and where the index goes")
    _refuse_to_overwrite(out, resume=resume)
    training_config = load_config(config, set_)
    if gallery is not None and not read_collection(gallery):
        raise DataError(f"--gallery {gallery} holds no pictures")
    with join_processes(pick_device(training_config.loop.device)) as processes:
        samples = processes.from_main(lambda: _read(training_config, data, label_column, layout, out))
        try:
            bundle, metrics = fit_and_assess(
                training_config, samples, out, data_name=source_name(data), resume=resume, processes=processes
            )
        except KeyboardInterrupt:
            say(f"interrupted; add --resume to the same command to go on after the last epoch in {out}")
            raise typer.Exit(EXIT_INTERRUPTED) from None
        if processes.is_main:
            _finish(bundle, metrics["validation"], out, gallery, store)


@app.command("fit-multilabel")
def fit_multilabel(
    data: Annotated[Path, typer.Option(help="Pictures with several labels each, see docs/data.md.")],
    out: OutOption,
    method: Annotated[Method, typer.Option(help="Triplets by likeness of labels, or cross entropy alone.")] = (
        Method.TRIPLET
    ),
    epochs: Annotated[int, typer.Option(min=1)] = 10,
    margin: Annotated[float, typer.Option(min=0.01, help="Of the triplets.")] = 1.0,
    undersample: Annotated[bool, typer.Option("--undersample", help="Thin out the most frequent labels.")] = False,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    taxonomy: Annotated[
        str | None, typer.Option(help="A label set's name or file; without, the shipped one that knows most labels.")
    ] = None,
    threshold: Annotated[
        float, typer.Option(min=0.001, max=1, help="Share of a picture's votes from which an emotion counts.")
    ] = 0.2,
    backbone: Annotated[str, typer.Option(help="The frozen network.")] = LITE0,
    weights: Annotated[Path | None, typer.Option(help="Its ImageNet weights, where no package has them.")] = None,
    label_column: LabelOption = None,
    layout: LayoutOption = None,
    device: Annotated[Device, typer.Option(help="Where the model runs.")] = Device.AUTO,
) -> None:
    """Train a model that names several emotions a picture; writes OUT/bundle and OUT/metrics.json.

    Layers on frozen features, so it takes hardly longer than looking at every picture once. `experiment multilabel`
    compares the ways to train it.

    Example: `python -m training fit-multilabel --data emotion6 --out runs/several`
    """
    from training.data.names import source_name
    from training.distributed import refuse_several
    from training.multi_label.bundle import fit_multi_label
    from training.multi_label.features import FrozenBackbone
    from training.multi_label.learn import Recipe
    from training.multi_label.source import read_source

    refuse_several("fit-multilabel")
    if (out / "bundle").exists():
        raise ConfigError(f"{out} holds a bundle already; choose another --out")
    recipe = Recipe(method=method, epochs=epochs, margin=margin, undersample=undersample, seed=seed)
    frozen = FrozenBackbone.open(backbone, weights)
    samples, label_set = read_source(data, taxonomy, threshold, label_column, layout, out)
    name = source_name(data)
    bundle, metrics = fit_multi_label(samples, label_set, recipe, frozen, out, data_name=name, device=device)
    _finish(bundle, metrics["test"], out, None, None)


@app.command()
def evaluate(
    bundle: Annotated[Path, typer.Option(help="A bundle written by `fit`.")],
    data: DataOption,
    out: OutOption,
    gallery: Annotated[Path | None, typer.Option(help="Labelled pictures to search; leave-one-out without.")] = None,
    label_column: LabelOption = None,
    layout: LayoutOption = None,
    gallery_layout: Annotated[Layout | None, typer.Option(help="The same of --gallery.")] = None,
    device: Annotated[Device, typer.Option(help="Where the model runs.")] = Device.AUTO,
    precision: Annotated[Precision, typer.Option(help="Arithmetic of the model.")] = Precision.FP32,
    keep_training_pictures: Annotated[
        bool, typer.Option("--keep-training-pictures", help="Judge also on pictures the bundle was trained on.")
    ] = False,
) -> None:
    """Judge a bundle on labelled pictures; prints one JSON object (fractions 0..1) and writes OUT/report.html.

    Retrieval is leave-one-out among the pictures, or against `--gallery`. Ties go by content hash. Pictures the
    bundle was trained on are left out of the queries, and named.

    Example: `python -m training evaluate --bundle runs/first/bundle --data test-photos --out runs/test`
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
    print(json.dumps(figures))
    say(f"written: {out / 'report.html'}")


@app.command()
def robustness(
    bundle: Annotated[Path, typer.Option(help="A bundle written by `fit`.")],
    data: DataOption,
    out: OutOption,
    label_column: LabelOption = None,
    layout: LayoutOption = None,
    device: Annotated[Device, typer.Option(help="Where the model runs.")] = Device.AUTO,
) -> None:
    """Judge a bundle on pictures that were cropped, recompressed, darkened, ...; prints a table, writes a JSON file.

    Pictures the bundle was trained on are left out.

    Example: `python -m training robustness --bundle runs/first/bundle --data test-photos --out runs/test`
    """
    from emotion.predictor import Predictor
    from training.assess import leave_out_training_pictures, refuse_multi_label
    from training.data.samples import read_samples, report_skipped
    from training.distributed import refuse_several
    from training.evaluation.robustness import as_json, as_table, measure_robustness

    refuse_several("robustness")
    predictor = Predictor.open(bundle, device)
    refuse_multi_label(predictor.bundle)
    samples, skipped = read_samples(data, predictor.taxonomy, label_column, layout)
    rows = measure_robustness(predictor, leave_out_training_pictures(predictor.bundle, samples))
    report_skipped(skipped, out)
    target = out / "robustness.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(as_json(rows), indent=1) + "\n")
    print(as_table(rows))
    say(f"written: {target}")


@app.command()
def familiarity(
    bundle: Annotated[Path, typer.Option(help="A bundle written by `fit`.")],
    data: Annotated[Path, typer.Option(help="Pictures of the kind that the model is for, labelled or not.")],
    others: Annotated[list[Path] | None, typer.Option(help="Pictures to compare with them; repeatable.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
    device: Annotated[Device, typer.Option(help="Where the model runs.")] = Device.AUTO,
    precision: Annotated[Precision, typer.Option(help="Arithmetic of the model.")] = Precision.FP32,
) -> None:
    """Measure how well a bundle tells non-photos (noise, text, charts, ...) from pictures like those it learnt from.

    Pictures the bundle was trained on are left out. AUC: how often a picture of that kind is less familiar than one
    of `--data`; .5 is chance.

    Example: `python -m training familiarity --bundle runs/first/bundle --data photos --others paintings`
    """
    from emotion.predictor import Predictor
    from training.distributed import refuse_several
    from training.evaluation.familiarity import as_json, as_table, measure_familiarity

    refuse_several("familiarity")
    rows = measure_familiarity(Predictor.open(bundle, device, precision), data, others or ())
    print(json.dumps(as_json(rows), indent=1) if json_ else as_table(rows))


@app.command()
def valence(
    bundle: Annotated[Path, typer.Option(help="A bundle written by `fit`.")],
    data: Annotated[Path, typer.Option(help="Pictures with a column `valence`, such as Emotion6; any label set.")],
    layout: LayoutOption = None,
    middle: Annotated[float, typer.Option(help="Neither pleasant nor unpleasant on the data's scale.")] = 5.0,
    device: Annotated[Device, typer.Option(help="Where the model runs.")] = Device.AUTO,
    precision: Annotated[Precision, typer.Option(help="Arithmetic of the model.")] = Precision.FP32,
) -> None:
    """Hold a bundle's P(positive) against how pleasant people rated pictures; prints one JSON object.

    Spearman's rank correlation with its 95 % interval, and the AUC of pleasant against unpleasant.

    Example: `python -m training valence --bundle runs/first/bundle --data emotion6`
    """
    from emotion.predictor import Predictor
    from training.distributed import refuse_several
    from training.evaluation.valence import measure_valence

    refuse_several("valence")
    figures = measure_valence(Predictor.open(bundle, device, precision), data, layout, middle)
    print(json.dumps({k: round(v, 5) if isinstance(v, float) else v for k, v in figures._asdict().items()}))


@app.command()
def crossval(
    data: DataOption,
    out: OutOption,
    config: ConfigOption = "default",
    set_: SetOption = None,
    folds: Annotated[str | None, typer.Option(help="Train only these, e.g. 0 or 0,2.")] = None,
    n_folds: Annotated[int, typer.Option(min=2)] = 5,
    inner: Annotated[
        int | None, typer.Option(help="Leave this fold out of everything: choose a recipe among the others.")
    ] = None,
    fold_seed: Annotated[int, typer.Option(help="Seed of the split; the recipe's own is in the config.")] = 0,
    label_column: LabelOption = None,
    layout: LayoutOption = None,
) -> None:
    """Cross-validate a recipe; done folds are kept, so the same command goes on after an interrupt.

    Writes OUT/crossval.json and OUT/report.html over the test pictures of all folds that are done. The preset `probe`
    trains nothing and is what a recipe has to beat: see `compare`.

    Examples:

    `python -m training crossval --config default --data fi-mini --out runs/default`

    `python -m training crossval --data fi-mini --out runs/scout --inner 0 --folds 1 --set loss.w=0.7`
    """
    from training.config import load_config
    from training.crossval import cross_validate
    from training.data.names import source_name
    from training.data.samples import read_samples, report_skipped
    from training.data.splits import fold_numbers, load_or_make_folds
    from training.distributed import refuse_several
    from training.run import load_taxonomy

    refuse_several("crossval")
    only = None if folds is None else fold_numbers(folds, n_folds)
    training_config = load_config(config, set_)
    samples, skipped = read_samples(data, load_taxonomy(training_config), label_column, layout)
    report_skipped(skipped, out)
    split = load_or_make_folds(out / "folds.json", samples, n_folds, fold_seed)
    if inner is not None:
        if not 0 <= inner < n_folds or inner in (only or []):
            raise ConfigError(f"--inner {inner} must be a fold from 0 to {n_folds - 1} that --folds does not test")
        samples = [sample for sample in samples if split[sample.digest] != inner]
    summary = cross_validate(training_config, samples, split, out, data_name=source_name(data), only=only)
    print(json.dumps({name: summary[name] for name in ("mean", "sd", "calibration")}, indent=1))
    say(f"written: {out / 'crossval.json'}, {out / 'report.html'}")


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(help="Outputs of `crossval` on the same folds; the first is the base.")],
    json_: Annotated[bool, typer.Option("--json", help="JSON instead of tables.")] = False,
) -> None:
    """Compare recipes on the same folds: every figure, the difference, and its paired bootstrap 95 % interval.

    Pictures are resampled within their folds. What another seed of the training would change is not in the interval,
    and of twenty differences that are nothing one is marked by chance.

    Example: `python -m training compare runs/probe runs/default`
    """
    from training.evaluation.out_of_fold import read_run
    from training.evaluation.paired import as_json, as_table, check_same_pictures
    from training.evaluation.paired import compare as compare_runs

    if len(runs) < 2:
        raise ConfigError("compare takes two outputs of `crossval` or more; the first is what the others are held to")
    baseline, *others = [read_run(path) for path in runs]
    for other in others:
        check_same_pictures(baseline, other)
    found = [compare_runs(baseline, other) for other in others]
    if json_:
        rows = [{"run": str(o.path), "figures": as_json(d)} for o, d in zip(others, found, strict=True)]
        print(json.dumps({"baseline": str(runs[0]), "compared": rows}))
    else:
        print("\n\n".join(as_table(d, str(runs[0]), str(o.path)) for o, d in zip(others, found, strict=True)))


@app.command()
def card(
    bundle: Annotated[Path, typer.Option(help="The bundle that the card is of.")],
    crossval: Annotated[Path, typer.Option(help="Output of `crossval` with the same recipe.")],
    robustness: Annotated[Path | None, typer.Option(help="robustness.json of `robustness`.")] = None,
    baseline: Annotated[Path | None, typer.Option(help="Output of `crossval` to compare with.")] = None,
    out: Annotated[Path | None, typer.Option(help="The file to write; README.md in the bundle without.")] = None,
) -> None:
    """Write a model card in Markdown: use, limits, terms, recipe and measured quality, all out of the files.

    Example: `python -m training card --bundle runs/first/bundle --crossval runs/cv --baseline runs/probe`
    """
    from training.evaluation.card import write_card

    target = out or bundle / "README.md"
    write_card(target, bundle, crossval, robustness=robustness, baseline=baseline)
    say(f"written: {target}")


@data_app.command("inspect")
def inspect_data(
    data: DataOption,
    taxonomy: Annotated[str | None, typer.Option(help="A label set's name or file; else the config's.")] = None,
    layout: LayoutOption = None,
    label_column: LabelOption = None,
    config: ConfigOption = "default",
    set_: SetOption = None,
    out: Annotated[Path | None, typer.Option(help="Folder for inspect.json and contact-sheet.png.")] = None,
) -> None:
    """Count, measure and check labelled pictures before training on them; every picture is read.

    Says how many there are of each emotion, which are there twice or under two labels, which cannot be read and why,
    and how large they are. Exit code 1 where `fit` with this config would fail.

    Examples:

    `python -m training data inspect --data photos --out runs/look`

    `python -m training data inspect --data emotion6 --taxonomy emotion6-neutral`
    """
    from training.config import load_config
    from training.data.contact_sheet import write_contact_sheet
    from training.data.inspection import as_json, as_text, inspect
    from training.run import load_taxonomy

    training_config = load_config(config, set_)
    if taxonomy is not None:
        # Set as it is: as the text of an override a file's name might be read as TOML.
        named = training_config.data.model_copy(update={"taxonomy": taxonomy})
        training_config = training_config.model_copy(update={"data": named})
    found = inspect(data, training_config, load_taxonomy(training_config), layout, label_column)
    print(as_text(found))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "inspect.json").write_text(json.dumps(as_json(found), indent=1) + "\n")
        write_contact_sheet(out / "contact-sheet.png", found.samples, found.taxonomy)
        say(f"written: {out / 'inspect.json'}, {out / 'contact-sheet.png'}")
    if found.failures:
        raise typer.Exit(1)


@app.command()
def taxonomies(
    json_: Annotated[bool, typer.Option("--json", help="JSON instead of text.")] = False,
) -> None:
    """List the label sets for `data.taxonomy` with their emotions.

    Your own is a JSON file of the same form, see docs/data.md.

    Example: `python -m training fit --data photos --out runs/first --set data.taxonomy=plutchik`
    """
    from emotion.taxonomy import read_taxonomy, taxonomy_names

    shipped = [read_taxonomy(name) for name in taxonomy_names()]
    if json_:
        print(json.dumps([taxonomy.model_dump(mode="json") for taxonomy in shipped], indent=1))
    else:
        print("\n\n".join(taxonomy.described() for taxonomy in shipped))


@app.command()
def networks(
    names: Annotated[list[str] | None, typer.Argument(help="Only these; any network of timm too.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
    time_: Annotated[bool, typer.Option("--time", help="Measure them on this CPU (minutes).")] = False,
) -> None:
    """List backbones for `--set network.backbone=NAME`: licence, input size, taps (channels/stride), parameters.

    With `--time` each is exported with random weights and run as the CPU service runs it.

    Example: `python -m training networks resnet18 vit_tiny_patch16_224 --time`
    """
    from training.networks import DOCUMENTED, as_json, as_table, describe

    facts = [describe(name, timed=time_) for name in names or DOCUMENTED]
    print(as_json(facts) if json_ else as_table(facts))


def _read(
    config: "TrainingConfig", data: Path, label_column: str | None, layout: Layout | None, out: Path
) -> "list[Sample]":
    from training.data.samples import class_counts, read_samples, report_skipped
    from training.run import load_taxonomy

    taxonomy = load_taxonomy(config)
    samples, skipped = read_samples(data, taxonomy, label_column, layout)
    report_skipped(skipped, out)
    counts = class_counts(samples, taxonomy)
    say(f"{len(samples)} pictures: " + ", ".join(f"{count} {name}" for name, count in counts.items()))
    return samples


def _finish(bundle: "Bundle", figures: dict[str, Any], out: Path, gallery: Path | None, store: Path | None) -> None:
    if gallery is not None and store is not None:
        _index(bundle.path, gallery, store)
    print(json.dumps(figures))
    written = [out / name for name in ("bundle", "metrics.json", "report.html") if (out / name).exists()]
    say(f"written: {', '.join(map(str, written))}")
    say("next: " + _next_command(bundle.path, store))


def _refuse_to_overwrite(out: Path, *, resume: bool) -> None:
    if not resume and any((out / name).exists() for name in ("checkpoint.pt", "bundle")):
        raise ConfigError(f"{out} holds a run already; add --resume to go on with it, or choose another --out")


def _index(bundle: Path, gallery: Path, store: Path) -> None:
    from emotion.predictor import Predictor
    from index.gallery import GalleryRoot
    from index.rebuild import rebuild
    from index.reporting import Bars, summarise
    from index.store import SnapshotStore

    target = SnapshotStore(store)
    start = time.monotonic()
    with Bars() as bars:
        predictor = Predictor.open(bundle)
        root = GalleryRoot.given(gallery, target.root)
        built = rebuild(target, predictor, root=root, on_progress=bars, device=predictor.runtime.device)
    summarise(built, time.monotonic() - start)


def _next_command(bundle: Path, store: Path | None) -> str:
    if store is not None:
        return f"python -m service --bundle {bundle} --store {store}"
    return f"python -m index build --bundle {bundle} --gallery FOLDER --store STORE"


if __name__ == "__main__":
    console.run(app)
