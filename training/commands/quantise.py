"""The command that makes a bundle's int8 graph."""

from typing import Annotated

import typer

from emotion.console import print_json, say
from training.commands.options import BundleOption, DataOption, JsonOption


def quantise(
    bundle: BundleOption,
    data: DataOption,
    n: Annotated[int, typer.Option("--n", min=1, help="How many training pictures to calibrate on.")] = 300,
    as_json: JsonOption = False,
) -> None:
    """Add an int8 graph to a bundle, for `--precision int8` of `evaluate`, `index build` and the service.

    The graph is calibrated on those of the pictures that trained the bundle. The bundle's other precisions stay as
    they are; a gallery has to be embedded with the precision it is searched with.

    Examples:

      python -m training quantise --bundle runs/first/bundle --data photos
    """
    from emotion.bundle import load_bundle
    from training.quantise import quantise as add_graph

    made = add_graph(load_bundle(bundle), data, n)
    if as_json:
        print_json({"written": str(made.int8_path), "model_id": made.int8_model_id})
    say(f"written: {made.int8_path}, model {made.int8_model_id}")
    say("next, what it costs on pictures that it has not seen, and once more without --precision:")
    say(f"  python -m training evaluate --bundle {bundle} --data PICTURES --out OUT --precision int8")
