"""Every route of the service, from its OpenAPI document."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from reference_pages.fields import line
from service.app import create_app
from service.settings import ServiceSettings

_HEADER: Final = """# HTTP

What the service answers, route by route; a running one has the same as an OpenAPI document at `/openapi.json`, and to
try out at `/docs`. A picture is a JPEG, PNG or WebP, as the part `file` of a form or as the body itself. Refusals have
one form and stable codes: [errors](errors.md). `$TOKEN` is the admin token. Filters, moods and adding are explained in
[a live gallery](live-gallery.md), limits in [settings](settings.md).

"""
_TITLES: Final = {
    "pictures": "Pictures in, moods and neighbours out",
    "gallery": "The gallery",
    "admin": "Administration",
    "operation": "Health and facts",
}
_SAMPLES: Final = {"cursor": "9d3c5e7f1a2b4c6d8e0f1a2b3c4d5e6f", "mood": "awe", "k": "3"}
"""What the curl lines ask with, where a route has such a parameter and needs or deserves one."""
_METHODS: Final = ("get", "post", "put", "delete")


class Route(NamedTuple):
    """A route of the document."""

    method: str
    path: str
    operation: dict[str, Any]

    @property
    def title(self) -> str:
        """As in `POST /search`."""
        return f"{self.method.upper()} {self.path}"


def http_page() -> str:
    """The whole page."""
    document = openapi()
    found = list(routes(document))
    tags = dict.fromkeys(route.operation["tags"][0] for route in found)
    parts = [_HEADER]
    for tag in tags:
        parts.append(f"## {_TITLES.get(tag, tag.capitalize())}\n\n")
        parts += [_route(route) for route in found if route.operation["tags"][0] == tag]
    parts.append("## Objects\n\nWhat the answers consist of.\n\n")
    parts += [_schema(name, schema) for name, schema in sorted(document["components"]["schemas"].items())]
    return "".join(parts).rstrip("\n") + "\n"


def openapi() -> dict[str, Any]:
    """The document of an app with default settings, which needs no model for it."""
    app = create_app(ServiceSettings(bundle=Path("bundle"), store=Path("store")))
    document: dict[str, Any] = app.openapi()
    return document


def routes(document: dict[str, Any]) -> Iterator[Route]:
    """Every route, in the document's order."""
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                yield Route(method, path, methods[method])


def _route(route: Route) -> str:
    operation = route.operation
    parts = [f"### {route.title}\n\n", operation["description"].strip(), "\n\n"]
    parts.append(f"```bash\n{curl(route)}\n```\n\n")
    if parameters := list(_parameters(operation)):
        parts.append("| parameter | in | type | meaning |\n|---|---|---|---|\n" + "".join(parameters) + "\n")
    parts += _answers(operation)
    return "".join(parts)


def curl(route: Route) -> str:
    """A line to try the route with."""
    words = ["curl"]
    content = route.operation.get("requestBody", {}).get("content", {})
    if "multipart/form-data" in content:
        words.append("-F file=@photo.jpg")
        if _is_list(content["multipart/form-data"]["schema"]):
            words.append("-F file=@other.jpg")
    elif route.method != "get":
        words.append(f"-X {route.method.upper()}")
    if _is_guarded(route.operation):
        words.append('-H "Authorization: Bearer $TOKEN"')
    if not {"application/json", "text/plain"} & {*_success(route.operation)[1].get("content", {"text/plain": {}})}:
        words.append("-o picture.jpg")
    names = {parameter["name"] for parameter in route.operation.get("parameters", ()) if parameter["in"] == "query"}
    wanted = [name for name in ("mood", "k") if name in names and not (name == "mood" and content)]
    query = "?" + "&".join(f"{name}={_SAMPLES[name]}" for name in wanted) if wanted else ""
    path = route.path.replace("{id}", "$ID")
    return " ".join([*words, f'"http://127.0.0.1:8000{path}{query}"'])


def _is_list(schema: dict[str, Any]) -> bool:
    return bool(schema["properties"]["file"].get("type") == "array")


def _is_guarded(operation: dict[str, Any]) -> bool:
    return "security" in operation


def _parameters(operation: dict[str, Any]) -> Iterator[str]:
    for parameter in operation.get("parameters", ()):
        name = f"`{parameter['name']}`" + ("" if not parameter.get("required") else ", required")
        kind = _kind(parameter["schema"]).removesuffix(" or null")
        yield line((name, parameter["in"], kind, _text(parameter.get("description", ""))))
    content = operation.get("requestBody", {}).get("content", {})
    for name, schema in content.get("multipart/form-data", {}).get("schema", {}).get("properties", {}).items():
        meaning = "The picture; several times for several." if name == "file" and schema.get("type") == "array" else ""
        yield line((f"`{name}`", "form", _kind(schema), _text(schema.get("description", meaning or "The picture."))))


def _answers(operation: dict[str, Any]) -> Iterator[str]:
    status, success = _success(operation)
    content = success.get("content", {}).get("application/json")
    if content is None:
        kinds = ", ".join(f"`{kind}`" for kind in success.get("content", {}))
        yield f"**{status}** with {kinds or 'no content'}.\n\n"
    else:
        reference = content["schema"].get("$ref", "").rsplit("/", 1)[-1]
        yield f"**{status}** with a [{reference}](#{reference.lower()}):\n\n"
        yield f"```json\n{_shown(content['example'])}\n```\n\n"
    refusals = [f"{code} {_codes(answer)}" for code, answer in operation["responses"].items() if int(code) >= 400]
    if refusals:
        yield f"Refused with {'; '.join(sorted(refusals))}.\n\n"


def _success(operation: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return next((status, answer) for status, answer in operation["responses"].items() if status.startswith("2"))


def _codes(answer: dict[str, Any]) -> str:
    """The codes stand behind the status's name in the description."""
    names = answer["description"].partition(": ")[2]
    return ", ".join(f"`{name}`" for name in names.split(", ")) if names else answer["description"]


def _schema(name: str, schema: dict[str, Any]) -> str:
    parts = [f"### {name}\n\n", _text(schema.get("description", "")), "\n\n"]
    if "enum" in schema:
        parts.append(", ".join(f"`{value}`" for value in schema["enum"]) + "\n\n")
    elif schema.get("properties"):
        parts.append("| field | type | meaning |\n|---|---|---|\n")
        parts += [
            line((f"`{field}`", _kind(value), _text(value.get("description", ""))))
            for field, value in schema["properties"].items()
        ]
        parts.append("\n")
    return "".join(parts)


def _kind(schema: dict[str, Any]) -> str:
    """A JSON schema in words."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if schema.get("format") == "binary":
        return "file"
    words = [{"string": "text", "integer": "whole number", "boolean": "true or false"}.get(kind, kind)]
    words += [f"{word} {schema[key]}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in schema]
    if schema.get("default") not in (None, ""):
        words.append(f"default `{json.dumps(schema['default'])}`")
    return " ".join(words).replace(" default", ", default")


def _shown(example: Any) -> str:
    """JSON in lines that stay readable: what fits on one is on one."""
    return "\n".join(_lines(example, ""))


def _lines(value: Any, indent: str) -> Iterator[str]:
    flat = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(flat) <= 110 or not isinstance(value, (dict, list)):
        yield indent + flat
        return
    entries = value.items() if isinstance(value, dict) else ((None, item) for item in value)
    inner = [list(_entry(key, item, indent + "  ")) for key, item in entries]
    yield indent + "{["[isinstance(value, list)]
    for lines in inner[:-1]:
        yield from lines[:-1]
        yield lines[-1] + ","
    yield from inner[-1]
    yield indent + "}]"[isinstance(value, list)]


def _entry(key: str | None, value: Any, indent: str) -> Iterator[str]:
    lines = list(_lines(value, indent))
    yield lines[0] if key is None else f"{indent}{json.dumps(key)}: {lines[0].lstrip()}"
    yield from lines[1:]


def _text(text: str) -> str:
    return " ".join(text.split())
