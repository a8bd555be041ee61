"""Commands that look and change nothing: `data inspect`, `taxonomies`, `networks`."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from emotion.console import print_json, progress, say, show
from training.commands.options import ConfigOption, DataOption, JsonOption, LabelOption, LayoutOption, SetOption


def inspect_data(
    data: DataOption,
    taxonomy: Annotated[str | None, typer.Option(help="A label set's name or file; else the config's.")] = None,
    layout: LayoutOption = None,
    label_column: LabelOption = None,
    config: ConfigOption = "default",
    set_: SetOption = None,
    out: Annotated[Path | None, typer.Option(help="Folder for inspect.json and contact-sheet.png.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Count, measure and check labelled pictures before training on them; every picture is read.

    Says how many there are of each emotion, which are there twice or under two labels, which cannot be read and why,
    and how large they are. Exit code 1 where `fit` with this config would fail.

    Examples:

      python -m training data inspect --data photos --out runs/look

      python -m training data inspect --data emotion6 --taxonomy emotion6-neutral
    """
    from training.config_file import load_config
    from training.data.contact_sheet import write_contact_sheet
    from training.data.inspection import as_json as as_object
    from training.data.inspection import as_text, inspect
    from training.run import load_taxonomy

    training_config = load_config(config, set_)
    if taxonomy is not None:
        # Set as it is: as the text of an override a file's name might be read as TOML.
        named = training_config.data.model_copy(update={"taxonomy": taxonomy})
        training_config = training_config.model_copy(update={"data": named})
    found = inspect(data, training_config, load_taxonomy(training_config), layout, label_column)
    if as_json:
        print_json(as_object(found))
    else:
        print(as_text(found))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "inspect.json").write_text(json.dumps(as_object(found), indent=1) + "\n")
        write_contact_sheet(out / "contact-sheet.png", found.samples, found.taxonomy)
        say(f"written: {out / 'inspect.json'}, {out / 'contact-sheet.png'}")
    if found.failures:
        raise typer.Exit(1)


def taxonomies(as_json: JsonOption = False) -> None:
    """List the label sets for `data.taxonomy` with their emotions.

    Your own is a JSON file of the same form, see docs/data.md.

    Examples:

      python -m training taxonomies

      python -m training fit --data photos --out runs/first --set data.taxonomy=plutchik
    """
    from emotion.taxonomy import read_taxonomy, taxonomy_names

    shipped = [read_taxonomy(name) for name in taxonomy_names()]
    if as_json:
        print_json([taxonomy.model_dump(mode="json") for taxonomy in shipped])
    else:
        print("\n\n".join(taxonomy.described() for taxonomy in shipped))


def networks(
    names: Annotated[list[str] | None, typer.Argument(help="Only these; any network of timm too.")] = None,
    as_json: JsonOption = False,
    time_: Annotated[bool, typer.Option("--time", help="Measure them on this CPU (minutes).")] = False,
) -> None:
    """List backbones for `--set network.backbone=NAME`: licence, input size, taps (channels/stride), parameters.

    With `--time` each is exported with random weights and run as the CPU service runs it.

    Examples:

      python -m training networks resnet18 vit_tiny_patch16_224 --time
    """
    from training.networks import DOCUMENTED, as_table, describe
    from training.networks import as_json as as_objects

    wanted = names or DOCUMENTED
    facts = []
    with progress("measuring", len(wanted), "networks") if time_ else nullcontext(lambda _count: None) as advance:
        for name in wanted:
            facts.append(describe(name, timed=time_))
            advance(1)
    if as_json:
        print_json(as_objects(facts))
    else:
        show(as_table(facts))
