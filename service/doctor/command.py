"""The command: what to look at, in which order, and how the report looks."""

import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from emotion.command_line import ExitCode
from emotion.console import print_json
from emotion.errors import ConfigError
from emotion.predictor import Predictor
from emotion.runtime import Device, Precision
from service.doctor import access, index, machine, model, software
from service.doctor.finding import Finding, Status, failed, guarded, warning
from service.settings import ServiceSettings, read_settings, variable

STYLES: Final = {Status.OK: "green", Status.WARNING: "yellow", Status.FAILED: "bold red"}
REPORT: Final = "report it with what stands here"
_CHECK_WIDTH: Final = 9
_STATUS_WIDTH: Final = 7
_NOWHERE: Final = Path("nowhere")


def doctor(
    context: typer.Context,
    bundle: Annotated[
        Path | None, typer.Option(help="Folder of the model; without, what needs one is left out.")
    ] = None,
    store: Annotated[
        Path | None, typer.Option(help="Folder of the index; without, what needs one is left out.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address that the service is to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port that the service is to listen on.")] = None,
    device: Annotated[Device | None, typer.Option(help="Where model and index are to run.")] = None,
    precision: Annotated[Precision | None, typer.Option(help="Arithmetic that the model is to run in.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout and nothing else.")] = False,
) -> None:
    """Say what would keep a service from running here, or from running well, and how to mend it; changes nothing.

    Takes the service's own flags and variables. Looks at packages, settings, bundle, index, catalog, disk, lock, CPU,
    GPU, memory, cores, port and tokens, and lets the model look at a painted picture. Exit code 0 where nothing failed;
    warnings are no failure.

    Examples:

      python -m service doctor

      python -m service doctor --bundle models/mikels-lite0 --store store

      python -m service doctor --bundle models/mikels-lite0 --store store --json
    """
    own = {"bundle": bundle, "store": store, "host": host, "port": port, "device": device, "precision": precision}
    before = context.parent.params if context.parent is not None else {}  # `python -m service --store S doctor`
    flags = {name: before.get(name) if value is None else value for name, value in own.items()}
    open_model: model.Open = context.obj or _open_predictor
    findings: list[Finding] = []
    for finding in examine(flags, open_model):
        findings.append(finding)
        if not as_json:
            _print(finding)
    counts = Counter(finding.status for finding in findings)
    if as_json:
        rows = [finding._asdict() for finding in findings]
        print_json({"healthy": counts[Status.FAILED] == 0, "findings": rows})
    else:
        Console(highlight=False).print(", ".join(f"{counts[status]} {status}" for status in Status))
    if counts[Status.FAILED]:
        raise typer.Exit(ExitCode.FAILED)


def examine(flags: dict[str, Any], open_model: model.Open) -> Iterator[Finding]:
    """Look at everything, what others rest on first."""
    yield from software.python_findings()
    yield from guarded("packages", REPORT, software.package_findings)
    yield from guarded("faiss", REPORT, software.faiss_findings)
    settings, complaints = _settings(flags)
    yield from complaints
    bundle, said = model.read_bundle(settings.bundle) if settings.bundle != _NOWHERE else (None, [_unnamed("bundle")])
    yield from said
    if bundle is not None:
        yield from guarded("runtime", REPORT, lambda: model.runtime_findings(settings, open_model))
    sizes: list[index.Size] = []
    if settings.store == _NOWHERE:
        yield _unnamed("store")
    else:
        yield from guarded("index", REPORT, lambda: index.store_findings(settings, bundle, sizes.append))
    size = sizes[0] if sizes else index.Size()
    yield from guarded("cpu", REPORT, lambda: machine.cpu_findings(settings))
    yield from guarded("gpu", REPORT, lambda: machine.gpu_findings(settings))
    yield from guarded("memory", REPORT, lambda: machine.memory_findings(settings, size))
    yield from guarded("threads", REPORT, lambda: machine.thread_findings(settings))
    yield from guarded("port", REPORT, lambda: access.port_findings(settings))
    yield from guarded("tokens", REPORT, lambda: access.token_findings(settings))


def _settings(flags: dict[str, Any]) -> tuple[ServiceSettings, list[Finding]]:
    """The service's settings; where one is wrong, the defaults beside the flags, so that the rest is looked at too."""
    given = {name: value for name, value in flags.items() if value is not None}
    given |= {name: _NOWHERE for name in ("bundle", "store") if name not in given and not _is_set(name)}
    try:
        return read_settings(given), []
    except ConfigError as error:
        remedy = "docs/settings.md has every setting; what follows goes by the defaults"
        places = {name: Path(given.get(name) or _value(name)) for name in ("bundle", "store")}
        return ServiceSettings.model_construct(**{**given, **places}), [failed("settings", str(error), remedy)]


def _unnamed(what: str) -> Finding:
    remedy = {
        "bundle": f"name it with --bundle or {variable('bundle')}; the shipped one is models/mikels-lite0",
        "store": "make one: python -m index build --bundle BUNDLE --gallery FOLDER --store store; then name it here",
    }
    return warning("bundle" if what == "bundle" else "index", f"no {what} named, so none is looked at", remedy[what])


def _is_set(name: str) -> bool:
    return bool(_value(name))


def _value(name: str) -> str:
    return os.environ.get(variable(name), "")


def _open_predictor(settings: ServiceSettings) -> Predictor:
    from service.app import open_predictor

    return open_predictor(settings)


def _print(finding: Finding) -> None:
    """A line, and a second one for the remedy; only a terminal has lines that end."""
    console = Console(highlight=False)
    if not console.is_terminal:
        sys.stdout.write(f"{finding.check:<{_CHECK_WIDTH}} {finding.status:<{_STATUS_WIDTH}} {finding.found}\n")
        if finding.remedy is not None:
            sys.stdout.write(f"{'':<{_CHECK_WIDTH + _STATUS_WIDTH + 1}} -> {finding.remedy}\n")
        return
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=_CHECK_WIDTH)
    grid.add_column(width=_STATUS_WIDTH)
    grid.add_column(overflow="fold")
    grid.add_row(finding.check, Text(finding.status, style=STYLES[finding.status]), Text(finding.found))
    if finding.remedy is not None:
        grid.add_row("", "", Text(f"→ {finding.remedy}", style="bold"))
    console.print(grid)
