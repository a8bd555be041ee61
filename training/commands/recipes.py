"""Commands that judge a recipe: `crossval`, `compare`, and `card`, which writes both down."""

from pathlib import Path
from typing import Annotated

import typer

from emotion.console import print_json, say, show, show_figures
from emotion.errors import ConfigError
from training.commands.options import (
    ConfigOption,
    DataOption,
    JsonOption,
    LabelOption,
    LayoutOption,
    OutOption,
    SetOption,
)


def crossval(
    data: DataOption,
    out: OutOption,
    config: ConfigOption = "default",
    set_: SetOption = None,
    folds: Annotated[str | None, typer.Option(help="Train only these, e.g. 0 or 0,2.")] = None,
    n_folds: Annotated[int, typer.Option(min=2, help="Folds in all.")] = 5,
    inner: Annotated[
        int | None, typer.Option(help="Leave this fold out of everything: choose a recipe among the others.")
    ] = None,
    fold_seed: Annotated[int, typer.Option(help="Seed of the split; the recipe's own is in the config.")] = 0,
    label_column: LabelOption = None,
    layout: LayoutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Cross-validate a recipe; done folds are kept, so the same command goes on after an interrupt.

    Writes OUT/crossval.json and OUT/report.html over the test pictures of all folds that are done. The preset `probe`
    trains nothing and is what a recipe has to beat: see `compare`.

    Examples:

      python -m training crossval --config default --data fi-mini --out runs/default

      python -m training crossval --data fi-mini --out runs/scout --inner 0 --folds 1 --set loss.w=0.7
    """
    from training.config_file import load_config
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
    figures = {name: summary[name] for name in ("mean", "sd", "calibration")}
    show_figures(figures, as_json=as_json)
    say(f"written: {out / 'crossval.json'}, {out / 'report.html'}")


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Outputs of `crossval` on the same folds; the first is the base.")],
    as_json: JsonOption = False,
) -> None:
    """Compare recipes on the same folds: every figure, the difference, and its paired bootstrap 95 % interval.

    Pictures are resampled within their folds. What another seed of the training would change is not in the interval,
    and of twenty differences that are nothing one is marked by chance.

    Examples:

      python -m training compare runs/probe runs/default
    """
    from training.evaluation.out_of_fold import read_run
    from training.evaluation.paired import as_json as as_objects
    from training.evaluation.paired import as_table, check_same_pictures
    from training.evaluation.paired import compare as compare_runs

    if len(runs) < 2:
        raise ConfigError("compare takes two outputs of `crossval` or more; the first is what the others are held to")
    baseline, *others = [read_run(path) for path in runs]
    for other in others:
        check_same_pictures(baseline, other)
    found = [compare_runs(baseline, other) for other in others]
    if as_json:
        rows = [{"run": str(o.path), "figures": as_objects(d)} for o, d in zip(others, found, strict=True)]
        print_json({"baseline": str(runs[0]), "compared": rows})
    else:
        show("\n\n".join(as_table(d, str(runs[0]), str(o.path)) for o, d in zip(others, found, strict=True)))


def card(
    bundle: Annotated[Path, typer.Option(help="The bundle that the card is of.")],
    crossval: Annotated[Path, typer.Option(help="Output of `crossval` with the same recipe.")],
    robustness: Annotated[Path | None, typer.Option(help="robustness.json of `robustness`.")] = None,
    baseline: Annotated[Path | None, typer.Option(help="Output of `crossval` to compare with.")] = None,
    out: Annotated[Path | None, typer.Option(help="The file to write; README.md in the bundle without.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a model card in Markdown: use, limits, terms, recipe and measured quality, all out of the files.

    Examples:

      python -m training card --bundle runs/first/bundle --crossval runs/cv --baseline runs/probe
    """
    from training.evaluation.card import write_card

    target = out or bundle / "README.md"
    write_card(target, bundle, crossval, robustness=robustness, baseline=baseline)
    if as_json:
        print_json({"written": str(target)})
    say(f"written: {target}")
