"""`python -m demo`: paint a gallery, or go from nothing to a running service."""

from pathlib import Path
from typing import Annotated

import typer

from demo.paint import DEFAULT_COUNT, paint_gallery
from demo.up import bring_up
from emotion import console
from emotion.command_line import Command, command_line, run

app = command_line(name="demo", help="Paint a gallery, or go from nothing to a running service.")


@app.command(cls=Command)
def paint(
    out: Annotated[Path, typer.Option(help="Folder for the pictures: EMOTION/NUMBER.jpg.")],
    count: Annotated[int, typer.Option(min=1, help="Pictures in all, spread over the eight emotions.")] = DEFAULT_COUNT,
    seed: Annotated[int, typer.Option(min=0, help="Another seed paints other pictures.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout and nothing else.")] = False,
) -> None:
    """Paint a gallery of abstract pictures; what is there already is kept.

    Examples:

      python -m demo paint --out gallery

      python -m demo paint --out gallery --count 80 --seed 7
    """
    with console.progress("painting", count, "pictures") as advance:
        painted = paint_gallery(out, count, seed, advance)
    if as_json:
        console.print_json({"folder": str(out), "pictures": count, "painted": painted})
        return
    console.say(f"{out} holds {count} pictures, {painted} of them painted now.")
    console.say(f"next: python -m demo up --gallery {out}")


@app.command(cls=Command)
def up(
    gallery: Annotated[
        Path | None, typer.Option(help="Folder or manifest of pictures; a painted gallery if left out.")
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 to be reached from other machines.")
    ] = "127.0.0.1",
    bundle: Annotated[Path | None, typer.Option(help="A model; the one in models/ if left out.")] = None,
    store: Annotated[Path | None, typer.Option(help="Folder of the index; one for each gallery if left out.")] = None,
) -> None:
    """Build or refresh the index of a gallery and start the service, until Ctrl-C.

    Examples:

      python -m demo up

      python -m demo up --gallery ~/Pictures --port 8080
    """
    raise typer.Exit(bring_up(gallery=gallery, host=host, port=port, bundle=bundle, store=store))


if __name__ == "__main__":
    run(app)
