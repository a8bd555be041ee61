"""How a build is shown: bars for people, one JSON object a line for programs."""

import json
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import typer

from emotion.command_line import ExitCode
from emotion.console import Advance, progress, say
from emotion.errors import FeelalikeError
from index.progress import Progress, Skipped, Stage

if TYPE_CHECKING:
    from index.compact import Compacted
    from index.rebuild import Rebuilt

SHOWN_SKIPPED: Final = 5
JSON_INTERVAL_S: Final = 0.2
_TITLES = {
    Stage.SCAN: "reading files",
    Stage.EMBED: "embedding",
    Stage.MAP: "drawing the map",
    Stage.BUILD: "indexing",
    Stage.PUBLISH: "publishing",
}


class Bars:
    """Shows each stage with its own progress bar; a context manager, to be called with every event."""

    def __init__(self) -> None:
        self._open = ExitStack()
        self._stage: Stage | None = None
        self._advance: Advance | None = None
        self._done = 0

    def __enter__(self) -> "Bars":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def __call__(self, event: Progress) -> None:
        """Show an event."""
        if event.stage is not self._stage or self._advance is None:
            self._open.close()
            self._stage, self._done = event.stage, 0
            self._advance = self._open.enter_context(progress(_TITLES[event.stage], event.total, "pictures"))
        if event.done > self._done:
            self._advance(event.done - self._done)
            self._done = event.done


class JsonLines:
    """Prints events to stdout, a few a second and the last of every stage."""

    def __init__(self) -> None:
        self._printed_at = 0.0

    def __call__(self, event: Progress) -> None:
        """Print an event, unless the one before was just now."""
        now = time.monotonic()
        if event.done == event.total or now - self._printed_at >= JSON_INTERVAL_S:
            self._printed_at = now
            print_line({"state": "running", "stage": event.stage, "done": event.done, "total": event.total})


def print_line(content: dict[str, Any]) -> None:
    """One object, one line, at once: the reader on the other end of a pipe is waiting."""
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


def tell_programs(work: Callable[[], dict[str, Any]]) -> None:
    """Do it, and print its result, or how it ended, as the last line of `--json-progress`."""
    try:
        result = work()
    except KeyboardInterrupt:
        print_line({"state": "cancelled"})
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    except FeelalikeError as error:
        print_line({"state": "failed", "error": str(error)})
        raise typer.Exit(ExitCode.FAILED) from error
    except Exception as error:
        # The reader is told; the traceback goes where `run` puts it.
        print_line({"state": "failed", "error": f"{type(error).__name__}: {error}"})
        raise
    print_line(result)


def succeeded(built: "Rebuilt") -> dict[str, Any]:
    """The document of `--json` and the last line of `--json-progress`."""
    manifest = built.manifest
    return {
        "state": "succeeded",
        "version": manifest.version,
        "count": manifest.count,
        "counts": manifest.counts.model_dump(),
        "skipped": [skipped._asdict() for skipped in built.skipped[:SHOWN_SKIPPED]],
    }


def compacted(done: "Compacted") -> dict[str, Any]:
    """The last line of `compact --json-progress`."""
    manifest = done.manifest
    counts = {"added": done.n_added, "removed": done.n_removed}
    return {"state": "succeeded", "version": manifest.version, "count": manifest.count, "counts": counts}


def summarise(built: "Rebuilt", seconds: float) -> None:
    """Tell a person what was built and what was left out."""
    manifest, counts = built.manifest, built.manifest.counts
    rate = f", {counts.embedded / max(seconds, 1e-9):.1f} pictures/s" if counts.embedded else ""
    say(
        f"indexed {manifest.count} pictures in {seconds:.1f} s: {counts.embedded} embedded{rate}, "
        f"{counts.reused} reused, {counts.duplicates} duplicates, {counts.skipped} skipped"
    )
    list_skipped(built.skipped)
    say(f"index: {manifest.index.kind} ({manifest.index.reason})")
    say(f"published version {manifest.version}, recall@10 against exact search {manifest.recall:.3f}")


def list_skipped(skipped: tuple[Skipped, ...]) -> None:
    """The first few files that could not be used, with the reasons."""
    for path, reason in skipped[:SHOWN_SKIPPED]:
        # Most reasons come from emotion.images and name the file already.
        say(f"  skipped {reason}" if path in reason else f"  skipped {path}: {reason}")
    if len(skipped) > SHOWN_SKIPPED:
        say(f"  and {len(skipped) - SHOWN_SKIPPED} more")
