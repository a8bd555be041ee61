"""The command line: build, info, verify; add, remove, compact and rollback stand in commands.py."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emotion.command_line import Command, ExitCode, command_line, run
from emotion.console import complain, print_json, say, show_facts
from emotion.errors import ConfigError
from emotion.runtime import Device, Precision
from index.commands import JsonOption, OpenEmbedder, StoreOption, add, compact_store, remove, rollback
from index.export_command import export
from index.progress import OnProgress
from index.reporting import Bars, JsonLines, succeeded, summarise, tell_programs
from index.spec import WantedKind

if TYPE_CHECKING:
    from index.rebuild import Rebuilt
    from index.store import SnapshotStore

app = command_line(name="index", help="Index a gallery of pictures, so that the service can search it.")


@app.command(cls=Command)
def build(
    context: typer.Context,
    bundle: Annotated[Path, typer.Option(help="Folder of the model, as `training fit` writes it.")],
    store: StoreOption,
    gallery: Annotated[
        Path | None,
        typer.Option(help="Folder of pictures, or a manifest in CSV or Parquet; by default the last build's."),
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
        bool, typer.Option("--json-progress", help="One JSON object a line on stdout while it runs, for programs.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Embed a gallery's new and changed pictures and publish the index.

    An interrupted build goes on where it stopped; a running service takes the new index by itself.

    Examples:

      python -m index build --bundle models/default --gallery ~/Pictures --store store

      python -m index build --bundle models/default --gallery art.csv --label-column mood --store store

      python -m index build --bundle models/default --store store

      python -m index build --bundle models/default --store store --index ivf --recall 0.999
    """
    from emotion.predictor import Predictor
    from index.embed import N_STREAMS
    from index.gallery import GalleryRoot
    from index.rebuild import rebuild
    from index.store import SnapshotStore

    if as_json and json_progress:
        raise ConfigError("--json is one object at the end, --json-progress one a line; choose one")
    if label_column is not None and gallery is None:
        raise ConfigError("--label-column says how to read a manifest; name it with --gallery")
    open_embedder: OpenEmbedder = context.obj or partial(Predictor.open, precision=precision, n_streams=N_STREAMS)

    def build_with(on_progress: OnProgress) -> "Rebuilt":
        target = SnapshotStore(store)
        root = GalleryRoot.given(gallery, target.root, label_column) if gallery else None
        embedder = open_embedder(bundle, device)
        return rebuild(target, embedder, root=root, kind=kind, recall=recall, device=device, on_progress=on_progress)

    with _sigterm_interrupts():
        if json_progress:
            _build_for_programs(build_with)
            return
        built = _build_for_people(build_with)
    if as_json:
        print_json(succeeded(built))
    else:
        option = "" if precision is Precision.FP32 else f" --precision {precision}"
        say(f"next: python -m service --bundle {bundle} --store {store}{option}")


for name, command in (("add", add), ("remove", remove), ("compact", compact_store), ("rollback", rollback)):
    app.command(name, cls=Command)(command)
app.command(cls=Command)(export)


@app.command(cls=Command)
def info(store: StoreOption, as_json: JsonOption = False) -> None:
    """Show the facts of the published index.

    Examples:

      python -m index info --store store

      python -m index info --store store --json
    """
    from index.store import SnapshotStore

    facts = _facts(SnapshotStore(store))
    if as_json:
        print_json(facts)
    else:
        show_facts({name: _readable(value) for name, value in facts.items() if value is not None})


@app.command(cls=Command)
def verify(store: StoreOption, as_json: JsonOption = False) -> None:
    """Check every file of the index, the catalog and the uploads against each other; nothing is changed.

    Exit code 1 says what is damaged or missing, and what mends it.

    Examples:

      python -m index verify --store store
    """
    from index.audit import audit
    from index.store import SnapshotStore

    findings = audit(SnapshotStore(store))
    manifest = findings.manifest
    is_whole = manifest is not None and not findings.problems
    if as_json:
        facts = manifest.model_dump(mode="json", include={"version", "count", "recall"}) if manifest else {}
        print_json({"whole": is_whole, **facts, "problems": findings.problems, "notes": findings.notes})
    else:
        for note in findings.notes:
            say(f"note: {note}")
        for problem in findings.problems:
            complain(problem)
    if manifest is None or not is_whole:
        raise typer.Exit(ExitCode.FAILED)
    if not as_json:
        say(f"version {manifest.version} is whole: {manifest.count} pictures, recall@10 {manifest.recall:.3f}")


def _build_for_people(build_with: Callable[[OnProgress], "Rebuilt"]) -> "Rebuilt":
    start = time.monotonic()
    try:
        with Bars() as bars:
            built = build_with(bars)
    except KeyboardInterrupt:
        say("interrupted; run the same command again to go on")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    summarise(built, time.monotonic() - start)
    return built


def _build_for_programs(build_with: Callable[[OnProgress], "Rebuilt"]) -> None:
    tell_programs(lambda: succeeded(build_with(JsonLines())))


def _facts(store: "SnapshotStore") -> dict[str, Any]:
    from index.compact import count_added

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
        "map": manifest.map.described() if manifest.map else None,
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
