"""Which rows of a study are run: `--rows`."""

import difflib
from collections.abc import Sequence
from dataclasses import replace

from emotion.errors import ConfigError
from training.experiments.rows import NotRun, Row
from training.experiments.table import Study


def choose_rows(study: Study, rows: Sequence[Row], wanted: str | None) -> tuple[Study, list[Row]]:
    """The rows that `wanted` names by key, as in `softmax,ours`, in the table's order; all where it is None.

    Where the study's base is not among them, the first of them that can be run takes its part. Raises ConfigError
    naming an unknown key and the nearest right one.
    """
    if wanted is None:
        return study, list(rows)
    keys = [key.strip() for key in wanted.split(",") if key.strip()]
    known = [row.key for row in rows]
    for key in keys:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigError(f"--rows: no row {key!r}{hint}; there are {', '.join(known)}")
    chosen = [row for row in rows if row.key in keys]
    if not chosen:
        raise ConfigError(f"--rows names no row; there are {', '.join(known)}")
    if study.base in keys:
        return study, chosen
    run = [row for row in chosen if not isinstance(row.method, NotRun)]
    return replace(study, base=(run or chosen)[0].key), chosen
