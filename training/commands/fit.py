"""Commands that train a model: `fit`, `fit-multilabel`."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emotion.command_line import ExitCode
from emotion.console import say, show_figures
from emotion.errors import ConfigError, DataError
from emotion.network.spec import LITE0
from emotion.runtime import Device
from training.commands.options import (
    ConfigOption,
    DataOption,
    DeviceOption,
    JsonOption,
    KnowingTaxonomyOption,
    LabelOption,
    LayoutOption,
    OutOption,
    SetOption,
    VotesOption,
    WeightsOption,
)
from training.data.layouts import Layout
from training.multi_label.method import Method

if TYPE_CHECKING:
    from emotion.bundle import Bundle
    from training.config import TrainingConfig
    from training.data.samples import Sample


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
    as_json: JsonOption = False,
) -> None:
    """Train a model; writes OUT/bundle, OUT/metrics.json and, judged on the validation part, OUT/report.html.

    Ctrl-C is safe: the same command with `--resume` goes on after the last finished epoch, with the same result as
    an unbroken run. On several GPUs start it with torchrun: docs/training-on-gpus.md.

    Examples:

      python -m training fit --config default --data photos --out runs/first

      python -m training fit --data photos --out runs/quick --set network.freeze_trunk=true --set loop.epochs=5

      python -m training fit --data photos --out runs/first --gallery photos --store store

      torchrun --nproc-per-node 2 -m training fit --data photos --out runs/first
    """
    from emotion.collection import read_collection
    from training.config_file import load_config
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
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        if processes.is_main:
            _finish(bundle, metrics["validation"], out, gallery, store, as_json=as_json)


def fit_multilabel(
    data: Annotated[Path, typer.Option(help="Pictures with several labels each, see docs/data.md.")],
    out: OutOption,
    method: Annotated[Method, typer.Option(help="Cross entropy alone, or triplets by likeness of labels first.")] = (
        Method.BCE
    ),
    epochs: Annotated[int, typer.Option(min=1, help="Of each of the method's stages.")] = 20,
    margin: Annotated[float | None, typer.Option(min=0.01, help="Of the triplets; 1 without.")] = None,
    undersample: Annotated[bool, typer.Option("--undersample", help="Thin out the most frequent labels.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the split and of the training.")] = 0,
    taxonomy: KnowingTaxonomyOption = None,
    threshold: VotesOption = 0.2,
    backbone: Annotated[str, typer.Option(help="The frozen network.")] = LITE0,
    weights: WeightsOption = None,
    label_column: LabelOption = None,
    layout: LayoutOption = None,
    device: DeviceOption = Device.AUTO,
    as_json: JsonOption = False,
) -> None:
    """Train a model that names several emotions a picture; writes OUT/bundle and OUT/metrics.json.

    Layers on frozen features, so it takes hardly longer than looking at every picture once. `experiment multilabel`
    compares the ways to train it.

    Examples:

      python -m training fit-multilabel --data emotion6 --out runs/several
    """
    from training.data.names import source_name
    from training.distributed import refuse_several
    from training.multi_label.bundle import fit_multi_label
    from training.multi_label.features import FrozenBackbone
    from training.multi_label.learn import Recipe
    from training.multi_label.source import read_source

    refuse_several("fit-multilabel")
    if (out / "metrics.json").exists():  # written last: a bundle without it was never judged
        raise ConfigError(f"{out} holds a bundle already; choose another --out")
    if margin is not None and method is Method.BCE:
        raise ConfigError("--margin is for --method triplet")
    recipe = Recipe(method=method, epochs=epochs, margin=margin or 1.0, undersample=undersample, seed=seed)
    frozen = FrozenBackbone.open(backbone, weights)
    samples, label_set = read_source(data, taxonomy, threshold, label_column, layout, out)
    name = source_name(data)
    bundle, metrics = fit_multi_label(samples, label_set, recipe, frozen, out, data_name=name, device=device)
    _finish(bundle, metrics["test"], out, None, None, as_json=as_json)


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


def _finish(
    bundle: "Bundle", figures: dict[str, Any], out: Path, gallery: Path | None, store: Path | None, *, as_json: bool
) -> None:
    if gallery is not None and store is not None:
        _index(bundle.path, gallery, store)
    show_figures(figures, as_json=as_json)
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
