"""Commands that change a gallery picture by picture, or its published version, while a service runs on it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emotion.collection import SUFFIXES
from emotion.command_line import ExitCode
from emotion.console import print_json, progress, say
from emotion.errors import ConfigError, PictureError
from emotion.images import read_picture_bytes
from emotion.runtime import Device, Precision
from index.reporting import compacted, tell_programs

if TYPE_CHECKING:
    from index.embed import Embedder
    from index.manifest import SnapshotManifest

OpenEmbedder = Callable[[Path, Device], "Embedder"]
StoreOption = Annotated[Path, typer.Option("--store", help="Folder of the index.")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout and nothing else.")]


def add(
    context: typer.Context,
    pictures: Annotated[list[Path], typer.Argument(help="Pictures, or folders of pictures.")],
    bundle: Annotated[Path, typer.Option(help="Folder of the model that made the index.")],
    store: StoreOption,
    label: Annotated[str | None, typer.Option(help="Label of these pictures; several are joined by |.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="<key=value>", help="What searches can filter by; repeatable.")
    ] = None,
    external_id: Annotated[str | None, typer.Option(help="Your own name for the picture; only with one.")] = None,
    device: Annotated[Device, typer.Option(help="Where the model runs.")] = Device.AUTO,
    precision: Annotated[Precision, typer.Option(help="Arithmetic of the model, as the index was built.")] = (
        Precision.FP32
    ),
    as_json: JsonOption = False,
) -> None:
    """Add pictures to the gallery; a running service finds them within a second, without a rebuild.

    The store keeps a copy of each. The same picture twice is one entry.

    Examples:

      python -m index add photo.jpg --bundle models/default --store store --label awe

      python -m index add new-photos/ --bundle models/default --store store --metadata by=me
    """
    from emotion.predictor import Predictor
    from index.additions import NewPicture, add_picture, embed_picture
    from index.embed import made_with
    from index.manifest import check_matches
    from index.store import SnapshotStore

    files = _files(pictures)
    if external_id is not None and len(files) > 1:
        raise ConfigError(f"--external-id names one picture, but {len(files)} were given")
    said = (label, _pairs(metadata or []), external_id)
    target = SnapshotStore(store)
    manifest = target.manifest()
    open_embedder: OpenEmbedder = context.obj or partial(Predictor.open, precision=precision)
    embedder = open_embedder(bundle, device)
    made = made_with(embedder)
    check_matches(manifest, model_id=made.model_id, dim=made.dim, precision=made.precision)
    done: list[dict[str, Any]] = []
    with progress("adding", len(files), "pictures") as advance:
        for file in files:
            try:
                new = NewPicture(read_picture_bytes(file), *said)
                added = add_picture(target, new, embed_picture(embedder, new, str(file)), made)
                done.append({"path": str(file), "id": added.entry.id, "added": added.created, "refused": None})
                if not as_json:
                    typer.echo(f"{added.entry.id} {'added' if added.created else 'is there already'} {file}")
            except PictureError as error:
                done.append({"path": str(file), "id": None, "added": False, "refused": str(error)})
                say(f"refused: {error}")
            advance(1)
    n_added, n_refused = sum(one["added"] for one in done), sum(one["refused"] is not None for one in done)
    say(f"{n_added} added, {len(files) - n_added - n_refused} there already, {n_refused} refused")
    if as_json:
        print_json({"pictures": done, "added": n_added, "refused": n_refused})
    if n_refused:
        raise typer.Exit(ExitCode.FAILED)


def remove(
    ids: Annotated[list[str], typer.Argument(help="Ids of pictures, as every search gives them.")],
    store: StoreOption,
    as_json: JsonOption = False,
) -> None:
    """Take pictures out of the gallery for good; a running service stops finding them at once.

    The copy of an added picture is erased; an original in the gallery's own folder stays there and is left out.

    Examples:

      python -m index remove 0f8b4a6d2c1e3f5a7b9c0d1e2f3a4b5c --store store
    """
    from index.additions import remove_picture
    from index.store import SnapshotStore

    target = SnapshotStore(store)
    target.manifest()  # a mistyped folder is told, and none is made
    unknown = [item_id for item_id in ids if not remove_picture(target, item_id)]
    for item_id in unknown:
        say(f"unknown: {item_id}")
    say(f"{len(ids) - len(unknown)} removed")
    if as_json:
        print_json({"removed": [item_id for item_id in ids if item_id not in unknown], "unknown": unknown})
    if unknown:
        raise typer.Exit(ExitCode.FAILED)


def compact_store(
    store: StoreOption,
    device: Annotated[Device, typer.Option(help="Where the index will be searched.")] = Device.AUTO,
    as_json: JsonOption = False,
    json_progress: Annotated[
        bool, typer.Option("--json-progress", help="The result as one JSON object a line on stdout, for programs.")
    ] = False,
) -> None:
    """Fold what was added and removed into a new version; no model is needed and no picture is read.

    Worth it after a few thousand added pictures, which every search compares one by one. A build does it too.

    Examples:

      python -m index compact --store store
    """
    from index.compact import compact
    from index.store import SnapshotStore

    if json_progress:
        tell_programs(lambda: compacted(compact(SnapshotStore(store), device=device)))
        return
    before = SnapshotStore(store).current_version()
    done = compact(SnapshotStore(store), device=device)
    manifest = done.manifest
    published = manifest.version != before
    if as_json:
        print_json(_published(manifest) | {"published": published, "added": done.n_added, "removed": done.n_removed})
    elif published:
        say(f"{done.n_added} added and {done.n_removed} removed pictures folded in: {manifest.count} pictures")
        say(f"published version {manifest.version}, recall@10 against exact search {manifest.recall:.3f}")
    else:
        say(f"nothing to fold in; version {before} stays")


def rollback(store: StoreOption, as_json: JsonOption = False) -> None:
    """Publish the version before the current one again; nothing added since is lost, nothing deleted returns.

    A running service takes it within a second, if its model made it.

    Examples:

      python -m index rollback --store store
    """
    from index.store import SnapshotStore

    manifest = SnapshotStore(store).rollback()
    if as_json:
        print_json(_published(manifest))
    else:
        say(f"published version {manifest.version} again: {manifest.count} pictures, made by model {manifest.model_id}")


def _published(manifest: "SnapshotManifest") -> dict[str, Any]:
    return manifest.model_dump(mode="json", include={"version", "count", "recall", "model_id", "precision"})


def _files(given: list[Path]) -> list[Path]:
    files: list[Path] = []
    for path in given:
        inside = sorted(one for one in path.rglob("*") if one.suffix.lower() in SUFFIXES) if path.is_dir() else [path]
        if not inside:
            raise ConfigError(f"{path} holds no JPEG, PNG or WebP picture (.jpg .jpeg .png .webp)")
        files += inside
    return files


def _pairs(given: list[str]) -> dict[str, str]:
    pairs = {}
    for pair in given:
        key, separator, value = pair.partition("=")
        if not (separator and key):
            raise ConfigError(f"--metadata {pair!r} is not of the form key=value")
        pairs[key] = value
    return pairs
