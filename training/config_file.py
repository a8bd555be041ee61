"""From a preset or a TOML file and overrides to a configuration, with errors that name the right key."""

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from emotion.errors import ConfigError
from training.config import TrainingConfig

PRESETS = Path(__file__).parent / "configs"


def preset_names() -> list[str]:
    """Presets that come with the package."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def load_config(source: str, overrides: list[str] | None = None) -> TrainingConfig:
    """Read a preset by name or a TOML file, then apply `section.key=value` overrides.

    Raises ConfigError naming the key and the nearest right one.
    """
    path = PRESETS / f"{source}.toml" if source in preset_names() else Path(source)
    if not path.is_file():
        raise ConfigError(f"no preset or file {source!r}; presets: {', '.join(preset_names())}")
    try:
        tree = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError and TOMLDecodeError are ValueErrors
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    for override in overrides or []:
        _apply(tree, override)
    return parse_config(tree)


def parse_config(tree: Mapping[str, Any]) -> TrainingConfig:
    """A configuration from nested settings; raises ConfigError as `load_config` does."""
    try:
        return TrainingConfig.model_validate(tree)
    except ValidationError as error:
        raise ConfigError("; ".join(_explain(item) for item in error.errors())) from error


def _apply(tree: dict[str, Any], override: str) -> None:
    key, sign, value = override.partition("=")
    if not sign or not key:
        raise ConfigError(f"--set takes section.key=value, not {override!r}")
    *sections, last = key.strip().split(".")
    for section in sections:
        tree = tree.setdefault(section, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"--set {override}: {section!r} is a value, not a section")
    try:
        tree[last] = tomllib.loads(f"v = {value}")["v"]
    except (tomllib.TOMLDecodeError, RecursionError):
        tree[last] = value.strip()


def _explain(item: Any) -> str:
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] != "extra_forbidden":
        if item["type"] == "value_error":  # raised here, about several settings: the message names them
            return str(item["ctx"]["error"])
        return f"{key}: {item['msg']} (got {item['input']!r})"
    near = difflib.get_close_matches(key, _keys(TrainingConfig), n=1, cutoff=0.4)
    return f"unknown key {key!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def _keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    keys = []
    for name, field in model.model_fields.items():
        keys.append(prefix + name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys += _keys(field.annotation, f"{prefix}{name}.")
    return keys
