"""The service against the same model behind LitServe, BentoML and a plain FastAPI handler."""

import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.alternatives.model import BUNDLE, PORT
from benchmarks.command import Options, start
from benchmarks.load import Load, load
from benchmarks.measure import ratio, rotated
from benchmarks.pictures import SMALL, described, write_jpegs
from benchmarks.processes import free_port, service_command, serving
from benchmarks.results import Bar, Chart, Findings, Row, Sense
from benchmarks.stores import made_up_store
from emotion.bundle import load_bundle

NAME: Final = "alternatives"
TITLE: Final = "The same model behind other servers"
PYTHON: Final = Path(".venv-alternatives/bin/python")
"""Has them installed, apart from the project's own environment: what they ask of other packages would change it, and
the service would be measured with what its users do not have."""
CLIENTS: Final = (8, 32)
OURS: Final = "this service"
GALLERY: Final = 596

MODULES: Final = {
    "plain FastAPI with a lock": ("fastapi", "plain_fastapi", "/health"),
    "LitServe": ("litserve", "litserve_server", "/health"),
    "BentoML": ("bentoml", "bentoml_server", "/readyz"),
}
"""By name: the package it needs, the module, what answers 200 when it is ready."""

_AHEAD = Bar(sense=Sense.ABOVE, limit=1, unit="x")
_LOWER = Bar(sense=Sense.BELOW, limit=1, unit="x")

Rounds = dict[str, dict[int, list[Load]]]
"""By server, by number of clients: one load a round."""


def measure(options: Options) -> Findings:
    """Every server is started for its turn, warmed up, loaded and ended: none has to share the cores with another."""
    n_pictures, clients = options.pick(64, 8), (4,) if options.quick else CLIENTS
    python = alternatives_python()
    versions = {name: package_version(python, package) for name, (package, _, _) in MODULES.items()}
    names = [OURS, *(name for name, version in versions.items() if version)]
    found: Rounds = {name: {n: [] for n in clients} for name in names}
    with tempfile.TemporaryDirectory(prefix="feelalike-alternatives-") as name:
        folder = Path(name)
        write_jpegs(folder / "pictures", n_pictures, SMALL, options.data)
        made_up_store(folder / "store", load_bundle(options.bundle), GALLERY)
        for number in range(options.pick(3, 1)):
            for server in rotated(names, number):
                for n, one in _turn(server, python, folder, options, clients).items():
                    found[server][n].append(one)
    workload = f"/classify, {described(n_pictures, SMALL, options.data)}, forms, fp32, closed loops; "
    workload += ", ".join(f"{MODULES[name][0]} {versions[name]}" for name in names[1:])
    return Findings(workload=workload, rows=_rows(found, clients), charts=[_chart(found, clients)])


def alternatives_python() -> Path:
    """The interpreter that has the alternatives; our own where they have no environment."""
    return PYTHON.absolute() if PYTHON.exists() else Path(sys.executable)


def package_version(python: Path, package: str) -> str:
    """Of a package that an interpreter can find; empty when it cannot."""
    script = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run([python, "-c", script], check=False, capture_output=True, text=True).stdout.strip()


def _turn(server: str, python: Path, folder: Path, options: Options, clients: tuple[int, ...]) -> dict[int, Load]:
    port = free_port()
    command, ready = service_command(options.bundle, folder / "store", port), "/readyz"
    if server != OURS:
        _, module, ready = MODULES[server]
        command = [python, "-m", f"benchmarks.alternatives.{module}"]
    environment = {
        BUNDLE: str(options.bundle.absolute()),
        PORT: str(port),
        "PYTHONPATH": str(Path.cwd()),
        "BENTOML_DO_NOT_TRACK": "True",
    }
    seconds = options.pick(10, 3)
    with serving(command, port, folder / "server.log", ready=ready, environment=environment):
        # With as many clients as come later: a batch of a size not seen before would cost its server a slow answer.
        load(port, folder / "pictures", seconds=options.pick(5, 3), path="/classify", clients=max(clients), form=True)
        return {
            n: load(port, folder / "pictures", seconds=seconds, path="/classify", clients=n, form=True) for n in clients
        }


def _rows(found: Rounds, clients: tuple[int, ...]) -> list[Row]:
    rows = []
    for name in MODULES:
        for n in clients:
            rate, wait = f"throughput against {name}, {n} clients", f"p99 against {name}, {n} clients"
            if name not in found:
                rows += [_missing(rate, _AHEAD), _missing(wait, _LOWER)]
                continue
            ours, theirs = found[OURS][n], found[name][n]
            rates = ratio([one.per_s for one in ours], [one.per_s for one in theirs])
            p99 = ratio([one.p99_ms for one in ours], [one.p99_ms for one in theirs])
            rate_detail = f"{median(one.per_s for one in ours):.1f}/s against {median(one.per_s for one in theirs):.1f}"
            p99_detail = (
                f"{median(one.p99_ms for one in ours):.0f} ms against {median(one.p99_ms for one in theirs):.0f}"
            )
            rate_detail += _errors("our", ours) + _errors("their", theirs)
            rows.append(
                Row(what=rate, bar=_AHEAD, measured=rates.median, unit="x", detail=f"{rate_detail}; {rates.spread}")
            )
            rows.append(Row(what=wait, bar=_LOWER, measured=p99.median, unit="x", detail=f"{p99_detail}; {p99.spread}"))
    return rows


def _errors(whose: str, loads: list[Load]) -> str:
    """Answers that are in neither the throughput nor the p99; refusals are counted a second."""
    broken, refused = sum(one.broken for one in loads), median(one.refused_per_s for one in loads)
    text = f"; {broken} of {whose} answers were errors" if broken else ""
    return text + (f"; {refused:.1f}/s of {whose} answers were refusals" if refused else "")


def _missing(what: str, bar: Bar) -> Row:
    return Row(what=what, bar=bar, measured=None, unit="x", detail="not installed: see the group `alternatives`")


def _chart(found: Rounds, clients: tuple[int, ...]) -> Chart:
    series = {name: [median(one.per_s for one in loads[n]) for n in clients] for name, loads in found.items()}
    labels = [f"{n} clients" for n in clients]
    return Chart(name="alternatives", title="Throughput of /classify", unit="a second", labels=labels, series=series)


if __name__ == "__main__":
    start(NAME, TITLE, measure)
