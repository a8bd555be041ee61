"""From a gallery to a running service: check, paint, index, serve."""

import hashlib
import os
import secrets
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from demo.paint import DEFAULT_COUNT, paint_gallery
from emotion import console
from emotion.address import bind
from emotion.bundle import MANIFEST_NAME
from emotion.collection import read_collection
from emotion.command_line import ExitCode
from emotion.errors import BundleError, DataError, FeelalikeError

HOME = Path(".demo")
PAINTED_GALLERY = HOME / "gallery"
PAINTED_STORE = HOME / "store"
MODELS = Path("models")
TOKEN_VARIABLE = "FEELALIKE_ADMIN_TOKEN"  # noqa: S105 - the variable's name, not a token
GRACE_S = 3.0
STOP_TIMEOUT_S = 12.0
ANY_HOST = ("0.0.0.0", "::")  # noqa: S104 - compared with, never bound to unasked


@dataclass(frozen=True)
class Plan:
    """Everything that was settled before the long work begins."""

    gallery: Path
    painted: bool
    bundle: Path
    store: Path
    host: str
    port: int

    @property
    def url(self) -> str:
        """Where a browser on this machine finds the service."""
        host = "127.0.0.1" if self.host in ANY_HOST else self.host
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def bring_up(gallery: Path | None, host: str, port: int, bundle: Path | None, store: Path | None) -> int:
    """Do all of `demo up`; returns the exit code.

    Raises:
        FeelalikeError: an argument cannot be used, said before any long work.
    """
    plan = settle(gallery, host, port, bundle, store)
    if plan.painted:
        with console.progress("painting", DEFAULT_COUNT, "pictures") as advance:
            paint_gallery(plan.gallery, DEFAULT_COUNT, on_progress=advance)
    where: Sequence[str | Path] = ("--bundle", plan.bundle, "--store", plan.store)
    code = _run_module("index", ("build", *where, "--gallery", plan.gallery))
    if code != 0:
        return code
    given = os.environ.get(TOKEN_VARIABLE)
    token = given or secrets.token_urlsafe(24)
    console.say(greeting(plan, f"as set in {TOKEN_VARIABLE}" if given else token))
    return _run_module("service", (*where, "--host", plan.host, "--port", plan.port), {TOKEN_VARIABLE: token})


def settle(gallery: Path | None, host: str, port: int, bundle: Path | None, store: Path | None) -> Plan:
    """Check the arguments and fill in what was left out."""
    bind(host, port).close()
    if gallery is not None and not read_collection(gallery):
        raise DataError(f"{gallery} holds no pictures; name a folder with JPEG, PNG or WebP files in it")
    found = bundle or shipped_bundle(MODELS)
    if not (found / MANIFEST_NAME).is_file():
        raise BundleError(f"no bundle at {found}: {MANIFEST_NAME} is missing; name a folder written by `training fit`")
    return Plan(
        gallery=gallery or PAINTED_GALLERY,
        painted=gallery is None,
        bundle=found,
        store=store or store_of(gallery),
        host=host,
        port=port,
    )


def store_of(gallery: Path | None) -> Path:
    """A store of its own for every gallery, so that one never shows another's pictures."""
    if gallery is None:
        return PAINTED_STORE
    digest = hashlib.sha256(str(gallery.expanduser().resolve()).encode()).hexdigest()
    return HOME / f"store-{digest[:8]}"


def shipped_bundle(models: Path) -> Path:
    """The one bundle in a folder of models."""
    found = sorted(path.parent for path in models.glob(f"*/{MANIFEST_NAME}"))
    if not found:
        raise BundleError(f"no bundle in {models}/; run this in the repository, or name one with --bundle")
    if len(found) > 1:
        names = ", ".join(str(path) for path in found)
        raise BundleError(f"{models}/ holds several bundles ({names}); name one with --bundle")
    return found[0]


def greeting(plan: Plan, token: str) -> str:
    """What a person needs to know to try the service."""
    example = read_collection(plan.gallery)[0].path
    name = os.path.relpath(example)
    picture = shlex.quote(f"file=@{name if not name.startswith('..') else example}")
    return f"""
The service starts on {plan.url}  (the page; /docs has the API)

  Find the three pictures that feel most like one:
    curl -F {picture} '{plan.url}/search?k=3'

  Admin token: {token}
  Stop with Ctrl-C.
"""


def _run_module(module: str, arguments: Sequence[str | Path | int], environment: dict[str, str] | None = None) -> int:
    """Run one of our commands in this terminal, pass a stop on to it, and wait for its end."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    process = subprocess.Popen(command, env=os.environ | (environment or {}))
    previous = signal.signal(signal.SIGTERM, lambda *_: process.send_signal(signal.SIGTERM))
    try:
        code = process.wait()
    except KeyboardInterrupt:
        code = _stopped(process)
    finally:
        signal.signal(signal.SIGTERM, previous)
    if code in (-signal.SIGINT, -signal.SIGTERM):
        return ExitCode.INTERRUPTED
    if code < 0:
        raise FeelalikeError(f"{module} was killed by signal {-code}; too little memory is the usual reason")
    return code


def _stopped(process: subprocess.Popen[bytes]) -> int:
    """Wait for a child that a Ctrl-C has reached too; a SIGINT sent to us alone is made up for after a moment."""
    for timeout_s, stronger in ((GRACE_S, process.terminate), (STOP_TIMEOUT_S, process.kill)):
        try:
            return process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            stronger()
        except KeyboardInterrupt:
            process.kill()
    return process.wait()
