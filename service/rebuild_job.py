"""The single-flight job: `python -m index build` or `compact` in a process of its own, watched line by line.

A process, not a thread: embedding a gallery takes minutes of all cores and may need much memory; it is niced, can be
cancelled, and whatever happens to it, the service goes on answering from the live snapshot.
"""

import asyncio
import contextlib
import json
import logging
import os
import sys
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from emotion.command_line import DEBUG_VARIABLE
from emotion.errors import FeelalikeError
from emotion.runtime import Device
from service.errors import RebuildRunningError, UnknownJobError
from service.jobs import Job, JobKind, JobState
from service.metrics import Metrics
from service.settings import ServiceSettings, variable

KEPT_JOBS: Final = 20
CANCEL_GRACE_S: Final = 10.0
_NICENESS = 10
_LINE_LIMIT_BYTES = 2**20
_KEPT_STDERR_BYTES = 4096
_SHOWN_STDERR_LINES = 3

_INDEX: Final = (sys.executable, "-m", "index")
_TOKENS: Final = frozenset({variable("admin_token"), variable("read_token")})
"""Variables that a build has no use for."""

_log = logging.getLogger("feelalike.rebuild")

OnPublished = Callable[[], Awaitable[object]]


class RebuildFailedError(FeelalikeError):
    """The build ended without publishing, or the service did not take what it published."""


def build_command(settings: ServiceSettings, device: Device) -> list[str]:
    """The command that rebuilds this service's index, on the device that the service itself found."""
    places = ["--bundle", str(settings.bundle), "--store", str(settings.store)]
    arithmetic = ["--device", device.value, "--precision", settings.precision.value]
    return [*_INDEX, "build", *places, *arithmetic, "--json-progress"]


def compact_command(settings: ServiceSettings, device: Device) -> list[str]:
    """The command that folds what was added and deleted into a new version."""
    return [*_INDEX, "compact", "--store", str(settings.store), "--device", device.value, "--json-progress"]


class RebuildJobs:
    """Starts, watches and remembers rebuilds and compactions; one at a time. Lives in one event loop.

    Args:
        commands: each prints a JSON object a line, the last one with the final `state`.
        on_published: awaited then; returns when the service answers from the new index, raises if it refuses it.
        metrics: told of every start and end.
    """

    def __init__(self, commands: Mapping[JobKind, Sequence[str]], on_published: OnPublished, metrics: Metrics) -> None:
        self._commands = commands
        self._on_published = on_published
        self._metrics = metrics
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._running: Job | None = None
        self._task: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._cancelled: set[str] = set()

    def start(self, kind: JobKind) -> Job:
        """Start a job; raises RebuildRunningError while one runs, whatever it does."""
        if self._running is not None:
            raise RebuildRunningError(self._running.id)
        job = self._running = Job(kind)
        self._jobs[job.id] = job
        while len(self._jobs) > KEPT_JOBS:
            self._jobs.popitem(last=False)
        self._task = asyncio.create_task(self._run(job), name=f"{kind}-{job.id}")
        self._metrics.rebuild_started()
        _log.info("%s job=%s started", kind, job.id)
        return job

    def newest_first(self) -> list[Job]:
        """The jobs that are remembered; one that runs is the first."""
        return list(reversed(self._jobs.values()))

    def get(self, job_id: str) -> Job:
        """A job by its id; raises UnknownJobError."""
        try:
            return self._jobs[job_id]
        except KeyError:
            raise UnknownJobError(f"no job has this id; the last {KEPT_JOBS} jobs since the start are kept") from None

    async def cancel(self, job_id: str) -> Job:
        """End a job and wait for its end; one that is over stays as it is."""
        job = self.get(job_id)
        task = self._task
        if job.is_over or task is None:
            return job
        self._cancelled.add(job.id)
        if self._process is not None:
            await self._stop(self._process)
        # Shielded: should the caller give up waiting, the job still ends in order.
        await asyncio.shield(task)
        return job

    async def close(self) -> None:
        """Cancel what runs."""
        if self._running is not None:
            await self.cancel(self._running.id)

    async def _run(self, job: Job) -> None:
        try:
            await self._build(job)
            await self._on_published()
            job.end(JobState.SUCCEEDED)
        except Exception as error:
            if job.id in self._cancelled:
                job.end(JobState.CANCELLED)
            else:
                foreseen = isinstance(error, FeelalikeError)
                job.end(JobState.FAILED, str(error) if foreseen else "internal error; see the service's log")
                _log.error("%s job=%s failed: %s", job.kind, job.id, error, exc_info=not foreseen)
        finally:
            if not job.is_over:  # the task itself was cancelled
                job.end(JobState.CANCELLED)
            self._running = self._process = None
            self._cancelled.discard(job.id)
            self._metrics.rebuild_ended(job.state)
            _log.info("%s job=%s %s", job.kind, job.id, job.state)

    async def _build(self, job: Job) -> None:
        """Run the process to its end; raises RebuildFailedError unless it published."""
        process = self._process = await self._launched(job)
        _be_nice(process.pid)
        job.start()
        try:
            if job.id in self._cancelled:
                await self._stop(process)
            if process.stdout is None or process.stderr is None:
                raise RuntimeError("the build's output is not connected")
            last, complaints = await asyncio.gather(_follow(process.stdout, job), _tail(process.stderr))
            code = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if last.get("state") == "cancelled":  # also by someone else: Ctrl-C reaches it too
            self._cancelled.add(job.id)
        if last.get("state") == "succeeded":
            job.counts, job.index_version = last["counts"], last["version"]
            return
        raise RebuildFailedError(last.get("error") or complaints or f"the build ended with exit code {code}")

    async def _launched(self, job: Job) -> asyncio.subprocess.Process:
        try:
            return await asyncio.create_subprocess_exec(
                *self._commands[job.kind],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=_LINE_LIMIT_BYTES,
                # A traceback belongs into this service's log, not into a file that only the other process knows.
                env={name: value for name, value in os.environ.items() if name not in _TOKENS} | {DEBUG_VARIABLE: "1"},
            )
        except OSError as error:
            raise RebuildFailedError(f"the build cannot be started: {error.strerror or error}") from error

    async def _stop(self, process: asyncio.subprocess.Process) -> None:
        """SIGTERM, so that the build keeps what it has embedded; SIGKILL if it does not listen."""
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), CANCEL_GRACE_S)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _follow(stdout: asyncio.StreamReader, job: Job) -> dict[str, Any]:
    """Note every line of progress; the last object is the result."""
    last: dict[str, Any] = {}
    async for line in stdout:
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):  # a library's chatter is no progress
            content = json.loads(line)
            job.note(content)
            last = content
    return last


async def _tail(stderr: asyncio.StreamReader) -> str:
    """Read all, so that the pipe never fills up; the last lines."""
    kept = b""
    while chunk := await stderr.read(_KEPT_STDERR_BYTES):
        kept = (kept + chunk)[-_KEPT_STDERR_BYTES:]
    lines = [line.strip() for line in kept.decode(errors="replace").splitlines()]
    return " | ".join([line for line in lines if line][-_SHOWN_STDERR_LINES:])


def _be_nice(pid: int) -> None:
    """Let requests go first; set from here because a forked child of a threaded process must not run Python."""
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, pid, _NICENESS)
