"""JSON files that a command leaves for its next start, written in one step: an interrupt leaves no half of one."""

import json
from pathlib import Path
from typing import Any

from emotion.errors import DataError
from index.durable import write_atomic


def write_json(path: Path, content: Any, indent: int = 1) -> None:
    """Replace the file in one step; its folder is there."""
    write_atomic(path, (json.dumps(content, indent=indent) + "\n").encode())


def read_json(path: Path, *keys: str) -> dict[str, Any]:
    """An object with these keys at least; raises DataError naming the file to delete where it is none."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read ({error}); delete it to have it made again") from error
    if not isinstance(content, dict) or not content.keys() >= set(keys):
        raise DataError(f"{path} is damaged: it has not {', '.join(keys)}; delete it to have it made again")
    return content
