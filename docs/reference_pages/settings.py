"""Settings of the service."""

from typing import Final

from reference_pages.fields import default_of
from service.settings import ServiceSettings, variable

_HEADER: Final = """# Settings of the service

Each is an environment variable; `python -m service` has flags for the common ones, and a flag wins.
`python -m service doctor` says which of them does not fit this machine; `FEELALIKE_DEBUG=1` shows tracebacks
([command line](command-line.md)).

| variable | default | meaning |
|---|---|---|
"""


def settings_page() -> str:
    """The whole page."""
    return _HEADER + "".join(_row(name) for name in ServiceSettings.model_fields)


def _row(name: str) -> str:
    field = ServiceSettings.model_fields[name]
    default = "cores, at most 4" if name == "decode_threads" else default_of(field)
    return f"| `{variable(name)}` | {default} | {field.description} |\n"
