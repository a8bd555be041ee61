"""Fields of a pydantic model as rows of a table: name, type, default, limits, and the text that stands under each."""

import ast
import inspect
import re
import textwrap
import typing
from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

_SIMPLE: Final = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "path",
    datetime: "time",
    dict: "object",
}
_LIMITS: Final = {
    annotated_types.Gt: ("gt", "above"),
    annotated_types.Ge: ("ge", "from"),
    annotated_types.Lt: ("lt", "below"),
    annotated_types.Le: ("le", "to"),
}


class Row(NamedTuple):
    """A field."""

    key: str
    """With the names of the sections around it: `network.fc.dim`."""
    kind: str
    default: str
    meaning: str
    """Empty where nobody wrote one."""


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[Row]:
    """Every field that is set by itself, sections taken apart."""
    for name, field in model.model_fields.items():
        inner = section(field)
        if inner is not None:
            yield from leaves(inner, f"{prefix}{name}.")
        else:
            yield row(model, name, prefix)


def rows(model: type[BaseModel]) -> list[Row]:
    """The model's own fields, sections left whole."""
    return [row(model, name) for name in model.model_fields]


def row(model: type[BaseModel], name: str, prefix: str = "") -> Row:
    """One field."""
    field = model.model_fields[name]
    kind = " ".join((kind_of(field.annotation), *_limits(field))).strip()
    said = field.description or documented(model).get(name, "") or _about(field.annotation)
    meaning = " ".join([said, *_choices(field.annotation)])
    return Row(f"{prefix}{name}", kind, default_of(field), linked(" ".join(meaning.split())))


def linked(text: str) -> str:
    """Names of our pages as links."""
    return re.sub(r"\bdocs/([a-z-]+)\.md", r"[\1](\1.md)", text)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Every model that a type names, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in typing.get_args(annotation):
        yield from models_in(inner)


def section(field: FieldInfo) -> type[BaseModel] | None:
    """The model that a field holds, where it always holds one."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def table(rows: list[Row], *, defaults: bool = True) -> str:
    """The rows in Markdown."""
    heads = ("key", "type", "default", "meaning") if defaults else ("key", "type", "meaning")
    lines = [line(heads), "|" + "---|" * len(heads) + "\n"]
    for field in rows:
        cells = (f"`{field.key}`", field.kind, *((field.default,) if defaults else ()), field.meaning)
        lines.append(line(cells))
    return "".join(lines)


def line(cells: typing.Iterable[str]) -> str:
    """One line of a table; a bar inside a cell would end it."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def kind_of(annotation: Any) -> str:
    """A type in words."""
    if not isinstance(annotation, type) or typing.get_args(annotation):
        return _compound(typing.get_origin(annotation), typing.get_args(annotation)) if annotation is not Any else "any"
    if issubclass(annotation, Enum):
        return ", ".join(f"`{member.value}`" for member in annotation)
    if issubclass(annotation, BaseModel):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    return _SIMPLE.get(annotation, annotation.__name__)


def default_of(field: FieldInfo) -> str:
    """What counts where nothing is given."""
    if field.default is PydanticUndefined:
        return "required"
    value = field.default
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, BaseModel):
        return "its own"
    if isinstance(value, tuple):
        return f"`{list(value)}`"
    return "unset" if value is None else "empty" if value in ("", {}) else f"`{value}`"


@cache
def documented(kind: type) -> dict[str, str]:
    """The text under each attribute of a class or one of its bases, as `name: type = value` is followed by a string."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.split(".")[0] not in ("emotion", "index", "training", "service"):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
        assert isinstance(body, ast.ClassDef)  # noqa: S101 - the source of a class
        for statement, following in zip(body.body, body.body[1:], strict=False):
            if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
                for name in _assigned(statement):
                    found[name] = str(following.value.value)
    return found


def _about(annotation: Any) -> str:
    """What a model or an enum says of itself, where a field's own text would repeat it."""
    for kind in (annotation, *typing.get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel | Enum):
            return (inspect.getdoc(kind) or "").split("\n\n")[0]
    return ""


def _choices(annotation: Any) -> Iterator[str]:
    """The text under an enum's members, which need not all have one."""
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        for name, text in documented(annotation).items():
            yield f"`{annotation[name].value}`: {text}"


def _assigned(statement: ast.stmt) -> list[str]:
    targets = [statement.target] if isinstance(statement, ast.AnnAssign) else getattr(statement, "targets", [])
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _compound(origin: Any, arguments: tuple[Any, ...]) -> str:
    if origin is typing.Annotated:
        return kind_of(arguments[0])
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin is dict:
        return f"object of {kind_of(arguments[1])} by name"
    if origin in (list, tuple):
        is_fixed = len(arguments) > 1 and arguments[1] is not Ellipsis
        return f"{len(arguments)} x {kind_of(arguments[0])}" if is_fixed else f"list of {kind_of(arguments[0])}"
    return " or ".join("null" if kind is type(None) else kind_of(kind) for kind in arguments)


def _limits(field: FieldInfo) -> Iterator[str]:
    """The limits, in words; those of one union's member stand in its annotation."""
    for limit in field.metadata:
        if type(limit) in _LIMITS:
            attribute, word = _LIMITS[type(limit)]
            yield f"{word} {getattr(limit, attribute)}"
