"""Every key of a training configuration, and what the presets set."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import training.config
from reference_pages.fields import leaves, line, linked, section, table
from training.config import TrainingConfig

_PRESETS: Final = Path(training.config.__file__).parent / "configs"
_HEADER: Final = """# Configuration of a training

A recipe is a TOML file for `--config`; `--set section.key=value` changes one key of it, as often as wanted. An unknown
key, a value out of range, and a setting that would do nothing are errors that say what to do. What a recipe does not
name has the default below. What is not obvious is explained in [options of a recipe](recipes.md), [losses](losses.md)
and [networks](networks.md); what the defaults are worth in [experiments](experiments.md).

```console
python -m training fit --config default --data photos --out runs/first --set optim.lr=1e-4 --set loop.epochs=20
```

"""


def training_config_page() -> str:
    """The whole page."""
    return _HEADER + "".join(_sections()) + _presets()


def _sections() -> Iterator[str]:
    top = [row for row in leaves(TrainingConfig) if "." not in row.key]
    yield "## The run\n\n" + table(top)
    for name, field in TrainingConfig.model_fields.items():
        model = section(field)
        if model is not None:
            about = " ".join((model.__doc__ or "").split())
            yield f"\n## {name}\n\n{about}\n\n{table(list(leaves(model, f'{name}.')))}"


def _presets() -> str:
    shown = ["\n## Presets\n\nNames that `--config` takes beside a file, and what each sets.\n"]
    for file in sorted(_PRESETS.glob("*.toml")):
        text = file.read_text("utf-8")
        about = " ".join(row.removeprefix("#").strip() for row in text.splitlines() if row.startswith("#"))
        rows = [line((f"`{key}`", f"`{json.dumps(value)}`")) for key, value in _flat(tomllib.loads(text))]
        shown.append(f"\n### {file.stem}\n\n{linked(about)}\n\n| key | value |\n|---|---|\n{''.join(rows)}")
    return "".join(shown)


def _flat(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        elif key not in ("name", "terms"):
            yield f"{prefix}{key}", value
