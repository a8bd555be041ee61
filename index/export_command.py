"""The command `export`: a gallery as a table."""

from pathlib import Path
from typing import Annotated

import typer

from emotion.console import print_json, progress, say
from index.commands import JsonOption, StoreOption


def export(
    store: StoreOption,
    out: Annotated[Path, typer.Option(help="File to write; .parquet has all, .csv has all but the embeddings.")],
    as_json: JsonOption = False,
) -> None:
    """Write every picture that a search can find to a table: path, labels, metadata, probabilities, embedding.

    What was added since the last build is in it, what was deleted is not. The same rows whatever the format.

    Examples:

      python -m index export --store store --out gallery.parquet

      python -m index export --store store --out gallery.csv --json
    """
    from index.compact import count_added
    from index.export import export_gallery
    from index.store import SnapshotStore

    target = SnapshotStore(store)
    with progress("exporting", target.manifest().count + count_added(target), "pictures") as advance:
        done = export_gallery(target, out, advance)
    if as_json:
        facts = {"out": str(out), "pictures": done.n_pictures, "damaged": done.n_damaged}
        said = done.manifest.model_dump(mode="json", include={"version", "model_id", "precision", "dim"})
        print_json(facts | said)
        return
    say(f"{done.n_pictures} pictures of version {done.manifest.version} written to {out}")
    if done.n_damaged:
        say(f"{done.n_damaged} added pictures are damaged in the catalog and left out; build the index again")
