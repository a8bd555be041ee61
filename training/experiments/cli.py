"""Commands `training experiment ...`."""

import typer

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode="markdown", help="The source documents' experiments, side by side."
)
