"""Command line of the trainer."""

import typer

from emotion import console
from training.commands.fit import fit, fit_multilabel
from training.commands.judge import evaluate, familiarity, robustness, valence
from training.commands.look import inspect_data, networks, taxonomies
from training.commands.quantise import quantise
from training.commands.recipes import card, compare, crossval
from training.experiments.cli import app as experiment_app

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Train, evaluate and export models of picture emotions.",
)
data_app = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown", help="Look at labelled pictures.")

app.command()(fit)
app.command("fit-multilabel")(fit_multilabel)
for command in (evaluate, robustness, familiarity, valence, crossval, compare, quantise, card, taxonomies, networks):
    app.command()(command)
data_app.command("inspect")(inspect_data)
app.add_typer(data_app, name="data")
app.add_typer(experiment_app, name="experiment")


if __name__ == "__main__":
    console.run(app)
