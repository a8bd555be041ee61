"""Command line of the trainer."""

from emotion.command_line import Command, command_line, run
from training.commands.fit import fit, fit_multilabel
from training.commands.judge import evaluate, familiarity, robustness, valence
from training.commands.look import inspect_data, networks, taxonomies
from training.commands.quantise import quantise
from training.commands.recipes import card, compare, crossval
from training.experiments.cli import app as experiment_app

app = command_line(name="training", help="Train, evaluate and export models of picture emotions.")
data_app = command_line(help="Look at labelled pictures.")

app.command(cls=Command)(fit)
app.command("fit-multilabel", cls=Command)(fit_multilabel)
for command in (evaluate, robustness, familiarity, valence, crossval, compare, quantise, card, taxonomies, networks):
    app.command(cls=Command)(command)
data_app.command("inspect", cls=Command)(inspect_data)
app.add_typer(data_app, name="data")
app.add_typer(experiment_app, name="experiment")


if __name__ == "__main__":
    run(app)
