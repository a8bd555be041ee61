"""What kind of index: what an operator asks for, and what a build chose, which the manifest records."""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class IndexKind(StrEnum):
    """How neighbours are found."""

    FLAT = "flat"
    """Exact: every vector is compared."""
    IVF = "ivf"
    """Approximate: only the lists of vectors nearest to the query are read, in 8 bits a number and often only along the
    main directions; the best candidates are compared exactly."""


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
    """How neighbours are to be found."""
    recall: float = Field(default=0.99, gt=0, le=1)
    """Recall@10 that an approximate index must reach."""


class IvfSpec(BaseModel):
    """Parameters of an approximate index, and how they were found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n_lists: int = Field(gt=0)
    """Lists that the vectors are spread over."""
    n_probe: int = Field(gt=0)
    """Lists read for a query; more where they hold too few vectors."""
    candidates_per_hit: int = Field(gt=0)
    """Candidates compared exactly, for each hit asked for."""
    target_recall: float = Field(gt=0, le=1)
    """Recall@10 that was asked for."""
    n_queries: int = Field(gt=0)
    """Size of the sample that the recall was measured on."""
    n_directions: int | None = Field(default=None, gt=0, exclude_if=lambda count: count is None)
    """Numbers kept of each vector, along the gallery's main directions; None for all of them."""
    reasons: tuple[str, ...] = Field(default=(), exclude_if=lambda reasons: not reasons)
    """What smaller parameters would have missed."""

    def described(self, dim: int) -> str:
        """How a query for ten is answered, and why not with less, in a sentence."""
        numbers = f"all {dim}" if self.n_directions is None else f"{self.n_directions} of {dim}"
        sentence = f"reads {self.n_probe} of {self.n_lists} lists, {numbers} numbers a picture in 8 bits"
        sentence += f", compares the best {10 * self.candidates_per_hit} exactly"
        return f"{sentence}, because {'; '.join(self.reasons)}" if self.reasons else sentence


class IndexSpec(BaseModel):
    """The kind of an index and the metric it answers in.

    Fields that came later are left out of the JSON while they are unset: a manifest's checksum covers the JSON, and
    that of an older manifest must stay what it was.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: IndexKind = IndexKind.FLAT
    """How neighbours are found."""
    metric: Literal["euclidean"] = "euclidean"
    """Distance that is compared."""
    ivf: IvfSpec | None = Field(default=None, exclude_if=lambda ivf: ivf is None)
    reason: str | None = Field(default=None, exclude_if=lambda reason: reason is None)
    """Why this kind."""

    @model_validator(mode="after")
    def _parameters_fit_the_kind(self) -> "IndexSpec":
        if (self.kind is IndexKind.IVF) != (self.ivf is not None):
            raise ValueError(f"an index of kind {self.kind} has its parameters in ivf if and only if it is ivf")
        return self


class MapMethod(StrEnum):
    """How a gallery was laid flat."""

    TSNE = "t-SNE"
    PRINCIPAL_COMPONENTS = "principal components"


class MapSpec(BaseModel):
    """How the map of a gallery was made, and how far to trust it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: MapMethod
    n_landmarks: int = Field(gt=0)
    """Pictures that the method itself laid out; the others are beside their nearest ones."""
    kept: float = Field(ge=0, le=1)
    """Share of the 10 nearest pictures that are among the 10 nearest on the map, on a sample."""

    def described(self) -> str:
        """In a sentence."""
        return f"{self.method} of {self.n_landmarks} pictures, keeps {self.kept:.0%} of the 10 nearest"
