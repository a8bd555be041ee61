"""What kind of index: what an operator asks for, and what a build chose, which the manifest records."""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class IndexKind(StrEnum):
    """How neighbours are found."""

    FLAT = "flat"
    """Exact: every vector is compared."""
    IVF = "ivf"
    """Approximate: only the lists of vectors nearest to the query are read, in 8 bits a number; the best candidates
    are compared exactly."""


class WantedKind(StrEnum):
    """What an operator may ask for."""

    AUTO = "auto"
    """Exact while that is fast enough."""
    FLAT = "flat"
    IVF = "ivf"


class IndexChoice(BaseModel):
    """What to build; store.json keeps it for the next build."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: WantedKind = WantedKind.AUTO
    recall: float = Field(default=0.99, gt=0, le=1)
    """Recall@10 that an approximate index must reach."""


class IvfSpec(BaseModel):
    """Parameters of an approximate index, and how they were found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_lists: int = Field(gt=0)
    n_probe: int = Field(gt=0)
    """Lists read for a query; more where they hold too few vectors."""
    candidates_per_hit: int = Field(gt=0)
    """Candidates compared exactly, for each hit asked for."""
    target_recall: float = Field(gt=0, le=1)
    n_queries: int = Field(gt=0)
    """Size of the sample that the recall was measured on."""


class IndexSpec(BaseModel):
    """The kind of an index and the metric it answers in.

    Fields that came later are left out of the JSON while they are unset: a manifest's checksum covers the JSON, and
    that of an older manifest must stay what it was.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: IndexKind = IndexKind.FLAT
    metric: Literal["euclidean"] = "euclidean"
    ivf: IvfSpec | None = Field(default=None, exclude_if=lambda ivf: ivf is None)
    reason: str | None = Field(default=None, exclude_if=lambda reason: reason is None)
    """Why this kind."""

    @model_validator(mode="after")
    def _parameters_fit_the_kind(self) -> "IndexSpec":
        if (self.kind is IndexKind.IVF) != (self.ivf is not None):
            raise ValueError(f"an index of kind {self.kind} has its parameters in ivf if and only if it is ivf")
        return self
