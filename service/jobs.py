"""What a job is, as the admin sees it, and how the lines of `index build --json-progress` change it."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class JobState(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether a job stays there."""
        return self not in (JobState.QUEUED, JobState.RUNNING)


class JobKind(StrEnum):
    """What a job does to the index."""

    REBUILD = "rebuild"
    COMPACT = "compact"


@dataclass
class JobProgress:
    """How far a job is, in pictures."""

    stage: str
    done: int
    total: int


@dataclass
class Job:
    """One rebuild or compaction."""

    kind: JobKind = JobKind.REBUILD
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    state: JobState = JobState.QUEUED
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    started: datetime | None = None
    finished: datetime | None = None
    progress: JobProgress | None = None
    counts: Mapping[str, int] | None = None
    index_version: str | None = None
    """What was published."""
    error: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.finished is not None

    def start(self) -> None:
        """The process runs."""
        self.state, self.started = JobState.RUNNING, datetime.now(UTC)

    def note(self, line: Mapping[str, Any]) -> None:
        """A line of progress."""
        if line.get("state") == "running":
            self.progress = JobProgress(str(line["stage"]), int(line["done"]), int(line["total"]))

    def end(self, state: JobState, error: str | None = None) -> None:
        """Nothing more will happen."""
        self.state, self.error, self.finished = state, error, datetime.now(UTC)
