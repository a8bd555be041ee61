"""The command line: build, info, verify; add, remove, compact and rollback stand in commands.py."""

import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer

from emotion.console import EXIT_INTERRUPTED, run, say
from emotion.errors import ConfigError, FeelalikeError
from emotion.predictor import Predictor
from emotion.runtime import Device, Precision
from index.commands import OpenEmbedder, StoreOption, add, compact_store, remove, rollback
from index.compact import count_added
from index.embed import N_STREAMS
from index.gallery import GalleryRoot
from index.progress import OnProgress
from index.rebuild import Rebuilt, rebuild
from index.reporting import Bars, JsonLines, print_json, succeeded, summarise
from index.spec import WantedKind
from index.store import SnapshotStore

app = typer.Typer(
    name="index",
    help="Index a gallery of pictures, so that the service can search it.",
    no_args_is_help=True,
    add_completion=False,
)

app.command()(add)
app.command()(remove)
app.command("compact")(compact_store)
app.command()(rollback)


@app.command()
def build(
    context: typer.Context,
    bundle: Annotated[Path, typer.Option(help="Folder of the model, as `training fit` writes it.")],
    store: StoreOption,
    gallery: Annotated[
        Path | None, typer.Option(help="Folder of pictures or CSV manifest; by default the one of the last build.")
    ] = None,
    label_column: Annotated[str | None, typer.Option(help="Column of the manifest to read labels from.")] = None,
    device: Annotated[
        Device, typer.Option(help="Where the model runs, and where the index will be searched.")
    ] = Device.AUTO,
    precision: Annotated[
        Precision, typer.Option(help="Arithmetic of the model; the service must use the same.")
    ] = Precision.FP32,
    kind: Annotated[
        WantedKind | None,
        typer.Option(
            "--index",
            help="flat compares every picture, ivf only the likely ones, auto is flat while that is fast enough; "
            "by default as the last build, at first auto.",
        ),
    ] = None,
    recall: Annotated[
        float | None,
        typer.Option(
            min=0.5, max=1, help="Share of the true 10 nearest that ivf must find; by default as the last build, .99."
        ),
    ] = None,
    json_progress: Annotated[
        bool, typer.Option("--json-progress", help="One JSON object a line on stdout, for programs.")
    ] = False,
) -> None:
    """Embed a gallery's new and changed pictures and publish the index.

    An interrupted build goes on where it stopped; a running service takes the new index by itself.

    Examples:

      python -m index build --bundle models/default --gallery ~/Pictures --store store

      python -m index build --bundle models/default --gallery art.csv --label-column mood --store store

      python -m index build --bundle models/default --store store

      python -m index build --bundle models/default --store store --index ivf --recall 0.999
    """
    if label_column is not None and gallery is None:
        raise ConfigError("--label-column says how to read a manifest; name it with --gallery")
    open_embedder: OpenEmbedder = context.obj or partial(Predictor.open, precision=precision, n_streams=N_STREAMS)

    def build_with(on_progress: OnProgress) -> Rebuilt:
        target = SnapshotStore(store)
        root = GalleryRoot.given(gallery, target.root, label_column) if gallery else None
        embedder = open_embedder(bundle, device)
        return rebuild(target, embedder, root=root, kind=kind, recall=recall, device=device, on_progress=on_progress)

    with _sigterm_interrupts():
        (_build_for_programs if json_progress else _build_for_people)(build_with)
    if not json_progress:
        option = "" if precision is Precision.FP32 else f" --precision {precision}"
        say(f"next: python -m service --bundle {bundle} --store {store}{option}")


@app.command()
def info(
    store: StoreOption,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Show the facts of the published index.

    Examples:

      python -m index info --store store

      python -m index info --store store --json
    """
    facts = _facts(SnapshotStore(store))
    if as_json:
        sys.stdout.write(json.dumps(facts, indent=1) + "\n")
        return
    for name, value in facts.items():
        if value is None:
            continue
        sys.stdout.write(f"{name:<11}{_readable(value)}\n")


@app.command()
def verify(store: StoreOption) -> None:
    """Check every file of the published index; exit code 1 names the damaged one.

    Example:

      python -m index verify --store store
    """
    manifest = SnapshotStore(store).verify()
    say(f"version {manifest.version} is whole: {manifest.count} pictures, recall@10 {manifest.recall:.3f}")


def _build_for_people(build_with: Callable[[OnProgress], Rebuilt]) -> None:
    start = time.monotonic()
    try:
        with Bars() as bars:
            built = build_with(bars)
    except KeyboardInterrupt:
        say("interrupted; run the same command again to go on")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    summarise(built, time.monotonic() - start)


def _build_for_programs(build_with: Callable[[OnProgress], Rebuilt]) -> None:
    try:
        built = build_with(JsonLines())
    except KeyboardInterrupt:
        print_json({"state": "cancelled"})
        raise typer.Exit(EXIT_INTERRUPTED) from None
    except FeelalikeError as error:
        print_json({"state": "failed", "error": str(error)})
        raise typer.Exit(1) from error
    except Exception as error:
        # The reader is told; the traceback goes to stderr, into its log.
        print_json({"state": "failed", "error": f"{type(error).__name__}: {error}"})
        raise
    print_json(succeeded(built))


def _facts(store: SnapshotStore) -> dict[str, Any]:
    manifest = store.manifest()
    return {
        "store": str(store.root),
        "gallery": [str(root.located(store.root)) for root in store.config().roots],
        "version": manifest.version,
        "versions": store.versions(),
        "added": count_added(store),
        **manifest.model_dump(mode="json", include={"created", "model_id", "precision", "dim", "count", "recall"}),
        "kind": manifest.index.kind.value,
        "reason": manifest.index.reason,
        "search": manifest.index.ivf.described(manifest.dim) if manifest.index.ivf else None,
        "ivf": manifest.index.ivf.model_dump() if manifest.index.ivf else None,
        "metric": manifest.index.metric,
        "taxonomy": list(manifest.taxonomy),
        "counts": manifest.counts.model_dump(),
    }


def _readable(value: Any) -> str:
    if isinstance(value, dict):
        numbers = {name: number for name, number in value.items() if not isinstance(number, (list, tuple))}
        return ", ".join(f"{number} {name}" for name, number in numbers.items())
    if isinstance(value, list):
        return ", ".join(value)
    return str(value)


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """Let SIGTERM end a build as Ctrl-C does, so that what was embedded reaches the disk."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


if __name__ == "__main__":
    run(app)
