"""What a container runs: the first start indexes the mounted gallery, every start serves it.

With arguments it runs one of our other commands instead, `training fit ...` or `index info ...`. It stays their parent,
because the kernel drops a SIGTERM that the first process of a container has no handler for.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

PAINTED = "painted"
"""In place of a gallery's folder: paint one, so that there is something to look at."""
TO_THE_BUILD = {"FEELALIKE_DEVICE": "--device", "FEELALIKE_PRECISION": "--precision"}
"""Settings of the service that the index has to be built with too."""


def main(arguments: list[str]) -> int:
    """Run what the arguments say, or index if needed and serve; returns the exit code."""
    commands = Commands()
    if arguments:
        return commands.run(*arguments)
    store = Path(os.environ["FEELALIKE_STORE"])
    if not os.access(store / "CURRENT", os.F_OK) and (code := build_first_index(commands, store)):
        return code
    return commands.run("service")


class Commands:
    """Runs our commands, one at a time; a stop goes to the one that runs, and none is started after it."""

    def __init__(self) -> None:
        self._running: subprocess.Popen[bytes] | None = None
        self._stop: int | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._pass_on)

    def run(self, *command: str) -> int:
        """The exit code, as a shell gives it."""
        if self._stop is not None:
            return 128 + self._stop
        # In a group of its own a Ctrl-C reaches it once, through us, and not a second time from the terminal.
        self._running = subprocess.Popen([sys.executable, "-m", *command], process_group=0)
        if self._stop is not None:
            self._running.send_signal(self._stop)
        code = self._running.wait()
        return code if code >= 0 else 128 - code

    def _pass_on(self, number: int, _frame: FrameType | None) -> None:
        self._stop = number
        if self._running is not None:
            self._running.send_signal(number)


def build_first_index(commands: Commands, store: Path) -> int:
    """Index the gallery, going on where a stopped build was; returns the exit code."""
    check_writable(store)
    gallery = os.environ["FEELALIKE_GALLERY"]
    if gallery == PAINTED:
        gallery = str(store.parent / PAINTED)
        if code := commands.run("demo", "paint", "--out", gallery):
            return code
    check_filled(Path(gallery))
    given = {flag: os.environ.get(name) for name, flag in TO_THE_BUILD.items()}
    settings = [f"{flag}={value}" for flag, value in given.items() if value]
    bundle = os.environ["FEELALIKE_BUNDLE"]
    return commands.run("index", "build", "--bundle", bundle, "--gallery", gallery, "--store", str(store), *settings)


def check_writable(store: Path) -> None:
    """End the process unless the store's folder can be written, or made."""
    folder = next(path for path in (store, *store.parents) if os.access(path, os.F_OK))
    if not os.access(folder, os.W_OK | os.X_OK):
        user = os.getuid()
        fail(
            f"user {user} may not write to {folder}, where the index goes: mount a volume there that may be written; "
            f"for a folder of the host: sudo chown -R {user} FOLDER"
        )


def check_filled(gallery: Path) -> None:
    """End the process unless the gallery is a manifest, or a folder with a file in it."""
    try:
        found = gallery.is_file() or next(_files(gallery), None) is not None
    except OSError as error:
        fail(f"user {os.getuid()} cannot read the gallery {error.filename}: {error.strerror}")
    if not found:
        fail(
            f"no pictures in {gallery}: mount a folder of JPEG, PNG or WebP pictures there (GALLERY=FOLDER with "
            f"docker compose), or set FEELALIKE_GALLERY={PAINTED} to look at painted ones"
        )


def fail(message: str) -> NoReturn:
    """Say what is wrong and end."""
    sys.exit(f"error: {message}")


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder, onerror=_raise):
        yield from (Path(parent, name) for name in names)


def _raise(error: OSError) -> NoReturn:
    raise error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
