"""How a folder or a table is called where results are told."""

import os
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path


def source_name(source: Path) -> str:
    """Its last part, also of `.`, `..` and `~`; a link keeps its own name."""
    path = _located(source)
    return path.name or str(path)


def source_names(sources: Sequence[Path], taken: Collection[str] = ()) -> list[str]:
    """A name for each: the last part, or the whole path where that is not the only one of its name or is taken."""
    names = [source_name(source) for source in sources]
    counts = Counter([*names, *taken])
    return [name if counts[name] == 1 else str(_located(source)) for name, source in zip(names, sources, strict=True)]


def _located(source: Path) -> Path:
    return Path(os.path.normpath(source.expanduser().absolute()))
