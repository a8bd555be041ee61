"""Write settings.md from the service's settings; a test holds the file to it. Run: python docs/reference.py"""

from pathlib import Path

from pydantic_core import PydanticUndefined

from service.settings import ServiceSettings, variable

HEADER = """# Settings of the service

Each is an environment variable; `python -m service` has flags for the common ones, and a flag wins.
`python -m service doctor` says which of them does not fit this machine; `FEELALIKE_DEBUG=1` shows tracebacks
([command line](command-line.md)).

| variable | default | meaning |
|---|---|---|
"""


def settings_page() -> str:
    """The whole page."""
    return HEADER + "".join(_row(name) for name in ServiceSettings.model_fields)


def _row(name: str) -> str:
    field = ServiceSettings.model_fields[name]
    if name == "decode_threads":
        default = "cores, at most 4"
    elif field.default is PydanticUndefined:
        default = "required"
    else:
        default = "unset" if field.default is None else f"`{field.default}`"
    return f"| `{variable(name)}` | {default} | {field.description} |\n"


if __name__ == "__main__":
    (Path(__file__).parent / "settings.md").write_text(settings_page())
