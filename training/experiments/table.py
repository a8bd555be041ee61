"""A study's table: as JSON for programs, as Markdown for people; of use while rows are still being trained."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from training.evaluation.intervals import Estimate
from training.evaluation.outcome import ORDER
from training.evaluation.paired import Difference
from training.evaluation.retrieval import DCG_CUT
from training.experiments.figures import BOTH, Figures, Setting
from training.experiments.orders import Order, find_order, reversed_in_words
from training.experiments.rows import NotRun, Row

SHOWN: Final = ("accuracy", "mAP8", "mAP2", "NN", "P10", "prob_mAP8")
"""Figures with their intervals on the page; the JSON has all."""
COMPARED: Final = ("accuracy", "mAP8", "mAP2", "NN")
"""Figures by which the page tells rows apart, and their order."""
OF_THE_HEAD: Final = frozenset({"accuracy", "accuracy_polarity", "macro_f1", "ece"})
"""The same whatever is searched."""
TITLES: Final = {
    Setting.UNSEEN_GALLERY: "Unseen gallery: a test picture searches the rest of its fold",
    Setting.PAPER_PROTOCOL: "The paper's protocol: a test picture searches the training folds",
    Setting.LEAVE_ONE_OUT: "Leave one out: a test picture searches all other pictures, under the model of its fold",
}
Remark = Callable[[Figures], str]


@dataclass(frozen=True)
class Study:
    """What a table is about."""

    name: str
    """Of the command and of the files."""
    title: str
    source: str
    """The document that the figures beside ours come from, and the data it has them on."""
    base: str
    """Key of the row that the others are held to."""
    source_setting: Setting = Setting.PAPER_PROTOCOL
    """Which of our figures stand beside the source's."""
    settings: Sequence[Setting] = BOTH
    """In the order of the tables; the first has the class head's figures too."""
    notes: Sequence[str] = ()
    """Paragraphs before the tables."""
    remarks: Sequence[Remark] = field(default=())
    """Paragraphs that are computed, after the tables; empty ones are left out."""
    orders: bool = True
    """Whether the source's order of the rows is held against ours."""


def status(figures: Figures, row: Row, numbers: Sequence[int]) -> str:
    """What is there of a row, of the folds that are asked for."""
    if isinstance(row.method, NotRun):
        return f"not run: {row.method.reason}"
    folds, n_seeds = figures.folds(row.key), 1 + len(row.repeats)
    if not folds:
        return "not done yet"
    asked = [number for number in numbers if number in folds]
    done = [] if len(asked) == len(numbers) else [f"{len(asked)} of {len(numbers)} folds"]
    done += [] if figures.n_seeds(row.key) == n_seeds else [f"{figures.n_seeds(row.key)} of {n_seeds} seeds"]
    return f"done: {', '.join(done)}" if done else "done"


def as_json(study: Study, figures: Figures, rows: Sequence[Row], numbers: Sequence[int]) -> dict[str, Any]:
    """Everything that could be measured; fractions."""
    return {
        "study": study.name,
        "source": study.source,
        "base": study.base,
        "dcg_cut": f"first {DCG_CUT} m ranks",
        "notes": list(study.notes),
        "rows": [
            {
                "key": row.key,
                "title": row.title,
                "status": status(figures, row, numbers),
                "folds": list(figures.folds(row.key)),
                "n_seeds": figures.n_seeds(row.key),
                "n_pictures": figures.n_pictures(row.key),
                "source": dict(row.source),
                **{setting.value: _row_as_json(study, figures, row, setting) for setting in study.settings},
            }
            for row in rows
        ],
        "orders": [_order_as_json(order) for order in _orders(study, figures, rows)],
    }


def as_markdown(study: Study, figures: Figures, rows: Sequence[Row], numbers: Sequence[int]) -> str:
    """The whole page."""
    parts = [f"# {study.title}", *study.notes, _states(figures, rows, numbers)]
    done = [row for row in rows if figures.folds(row.key)]
    if done:
        parts += _beside_source(study, figures, rows)
        for setting in study.settings:
            parts += [f"## {TITLES[setting]}", *_tables(study, figures, done, setting)]
        parts.append(
            "Brackets: 95 % bootstrap intervals, test pictures resampled within their folds, the same ones for every "
            "row; **better** and **worse** where the interval of a difference leaves zero out, as one in twenty does "
            "by chance. With one seed a row, what another seed would change is not in them. DCG: first "
            f"{DCG_CUT} m ranks. Every figure and every difference with its interval: {study.name}.json."
        )
        parts += _order_parts(study, figures, rows)
        parts += [text for remark in study.remarks if (text := remark(figures))]
    return "\n\n".join(parts) + "\n"


def _states(figures: Figures, rows: Sequence[Row], numbers: Sequence[int]) -> str:
    lines = []
    for row in rows:
        folds = ", ".join(map(str, figures.folds(row.key)))
        counts = (figures.n_seeds(row.key) or "", figures.n_pictures(row.key) or "")
        lines.append([row.title, status(figures, row, numbers), folds, *map(str, counts)])
    return _table(("row", "", "folds", "seeds", "test pictures"), lines)


def _table(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    head = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    return "\n".join([*head, *(f"| {' | '.join(cells)} |" for cells in lines)])


def _beside_source(study: Study, figures: Figures, rows: Sequence[Row]) -> list[str]:
    names = [name for name in ORDER if any(name in row.source for row in rows)]
    if not names:
        return []
    lines = []
    for row in rows:
        ours = figures.of(row.key, study.source_setting)
        pairs = [(row.source.get(name), ours[name].value if name in ours else None) for name in names]
        lines.append([row.title, *(f"{_value(theirs)} / {_value(own)}" for theirs, own in pairs)])
    said = f"Source / ours. {TITLES[study.source_setting]}."
    return [f"## Beside the source: {study.source}", said, _table(["row", *names], lines)]


def _tables(study: Study, figures: Figures, rows: Sequence[Row], setting: Setting) -> list[str]:
    """The figures, then the differences to the base row."""
    of = {row.key: figures.of(row.key, setting) for row in rows}
    names = [
        name
        for name in SHOWN
        if any(name in found for found in of.values()) and (setting is study.settings[0] or name not in OF_THE_HEAD)
    ]
    lines = [
        [row.title, *(_estimate(of[row.key][name]) if name in of[row.key] else "" for name in names)] for row in rows
    ]
    compared = [name for name in names if name in COMPARED]
    return [_table(["row", *names], lines), *_difference_tables(study, figures, rows, setting, compared)]


def _difference_tables(
    study: Study, figures: Figures, rows: Sequence[Row], setting: Setting, names: Sequence[str]
) -> list[str]:
    base = next(row for row in figures.rows.values() if row.key == study.base)
    others = [row for row in rows if row.key != base.key and figures.between(base.key, row.key, setting)]
    if not others:
        return []
    lines = []
    for row in others:
        between = figures.between(base.key, row.key, setting)
        lines.append([row.title, *(_difference(between[name]) if name in between else "" for name in names)])
    return [_table([f"less {base.title}", *names], lines)]


def _order_parts(study: Study, figures: Figures, rows: Sequence[Row]) -> list[str]:
    orders = [order for order in _orders(study, figures, rows) if order.figure in COMPARED]
    if not orders:
        return []
    columns = ("figure", "pairs of rows", "as in the source", "the other way round", "cannot be told apart")
    lines = []
    for order in orders:
        counts = (order.pairs, order.confirmed, order.reversed, order.undecided)
        lines.append([_named(order), *(str(len(pairs)) for pairs in counts)])
    told = [f"- {_named(order)}: {reversed_in_words(order)}." for order in orders if order.reversed]
    said = (
        "Pairs of rows that the source ranks: how many stand likewise here beyond the paired interval, how many the "
        "other way round beyond it, how many neither. The intervals are over pictures: with one seed a row another "
        f"training may turn a pair round. {study.name}.json names every pair, by every figure."
    )
    reversed_here = ["The other way round here, of what the source has as worse < better:", "\n".join(told)]
    return ["## The source's order and ours", said, _table(columns, lines), *(reversed_here if told else [])]


def _named(order: Order) -> str:
    where = "" if order.figure in OF_THE_HEAD else f", {order.setting.value.replace('_', ' ')}"
    return f"{order.figure}{where}"


def _orders(study: Study, figures: Figures, rows: Sequence[Row]) -> list[Order]:
    """By every figure of the source, in the setting that is the source's, then in the other."""
    if not study.orders:
        return []
    settings = sorted(study.settings, key=lambda setting: setting is not study.source_setting)
    found = [
        find_order(figures, rows, name, setting)
        for setting in settings
        for name in ORDER
        if setting is study.source_setting or name not in OF_THE_HEAD
    ]
    return [order for order in found if order is not None]


def _row_as_json(study: Study, figures: Figures, row: Row, setting: Setting) -> dict[str, Any]:
    between = figures.between(study.base, row.key, setting)
    found: dict[str, dict[str, Any]] = {}
    for name, estimate in figures.of(row.key, setting).items():
        found[name] = {"value": _r(estimate.value), "low": _r(estimate.low), "high": _r(estimate.high)}
        if name in between and row.key != study.base:
            found[name]["difference"] = _difference_as_json(between[name])
    return found


def _order_as_json(order: Order) -> dict[str, Any]:
    def listed(kind: str) -> list[dict[str, Any]]:
        return [
            {"worse": pair.worse.key, "better": pair.better.key, "ours": _difference_as_json(pair.difference)}
            for pair in getattr(order, kind)
        ]

    kinds = ("confirmed", "reversed", "undecided")
    return {"figure": order.figure, "setting": order.setting.value} | {kind: listed(kind) for kind in kinds}


def _difference_as_json(difference: Difference) -> dict[str, Any]:
    values = {name: _r(getattr(difference, name)) for name in ("difference", "low", "high")}
    return {"value": values.pop("difference"), **values, "verdict": difference.verdict or None}


def _estimate(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def _value(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _difference(difference: Difference) -> str:
    text = f"{difference.difference:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"
    return f"{text} **{difference.verdict}**" if difference.verdict else text


def _r(value: float | None) -> float | None:
    return None if value is None else round(value, 5)
