"""Resume state: everything that the next epoch depends on. It is not the bundle."""

import os
from pathlib import Path
from typing import Any

import torch

from emotion.errors import ConfigError

NAME = "checkpoint.pt"


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Write atomically, so that an interrupt leaves the former checkpoint whole."""
    staged = folder / f".{NAME}"
    torch.save(state, staged)
    os.replace(staged, folder / NAME)  # noqa: PTH105 - os.replace is the atomic one by contract


def load_checkpoint(folder: Path, config: dict[str, Any], data_digest: str) -> dict[str, Any] | None:
    """The state to go on from, or None where there is none.

    Raises ConfigError when it was made with another configuration or on other pictures: going on would mix training
    and validation pictures.
    """
    path = folder / NAME
    if not path.is_file():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    if state["config"] != config:
        changed = [key for key in config if state["config"].get(key) != config[key]]
        raise ConfigError(
            f"{path} was made with another configuration (differs in: {', '.join(changed)}); "
            "take the same --config and --set, or another --out"
        )
    if state["data"] != data_digest:
        raise ConfigError(f"{path} was made on other pictures; train on the same ones, or take another --out")
    return state
