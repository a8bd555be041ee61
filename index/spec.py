"""What kind of index to build: a choice the manifest records and `verify` holds it to."""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict


class IndexKind(StrEnum):
    """How neighbours are found."""

    FLAT = "flat"
    """Exact: every vector is compared."""


class IndexSpec(BaseModel):
    """The kind of an index and the metric it answers in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: IndexKind = IndexKind.FLAT
    metric: Literal["euclidean"] = "euclidean"
