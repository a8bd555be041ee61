"""`python -m demo`: paint a gallery, or go from nothing to a running service."""

from pathlib import Path
from typing import Annotated

import typer

from demo.paint import DEFAULT_COUNT, paint_gallery
from demo.up import bring_up
from emotion import console

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.command()
def paint(
    out: Annotated[Path, typer.Option(help="Folder for the pictures: <emotion>/<number>.jpg.")],
    count: Annotated[int, typer.Option(min=1, help="Pictures in all, spread over the eight emotions.")] = DEFAULT_COUNT,
    seed: Annotated[int, typer.Option(min=0, help="Another seed paints other pictures.")] = 0,
) -> None:
    """Paint a gallery of abstract pictures; what is there already is kept."""
    with console.progress("painting", count, "pictures") as advance:
        painted = paint_gallery(out, count, seed, advance)
    console.say(f"{out} holds {count} pictures, {painted} of them painted now.")
    console.say(f"Next: python -m demo up --gallery {out}")


@app.command()
def up(
    gallery: Annotated[
        Path | None, typer.Option(help="Folder or manifest of pictures; a painted gallery if left out.")
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    host: Annotated[str, typer.Option(help="0.0.0.0 to be reached from other machines.")] = "127.0.0.1",
    bundle: Annotated[Path | None, typer.Option(help="A model; the one in models/ if left out.")] = None,
    store: Annotated[Path | None, typer.Option(help="Folder of the index; one for each gallery if left out.")] = None,
) -> None:
    """Build or refresh the index of a gallery and start the service."""
    raise typer.Exit(bring_up(gallery=gallery, host=host, port=port, bundle=bundle, store=store))


if __name__ == "__main__":
    console.run(app)
