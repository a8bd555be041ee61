"""What the routes answer."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from emotion.taxonomy import Polarity
from service.jobs import JobKind, JobState


class Answer(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(frozen=True, from_attributes=True, protected_namespaces=())


class PolarityProbabilities(Answer):
    """Summed probabilities of the two sides, renormalised over the emotions that take one.

    Where `emotions` is given: those of the likeliest emotion of each side, renormalised.
    """

    positive: float
    negative: float


class Mood(Answer):
    """The model's opinion of a picture in short."""

    emotion: str = Field(
        description="The most probable emotion; where `emotions` is given the first of those, though one that does not "
        "reach its own threshold may be more probable."
    )
    emotions: list[str] | None = Field(
        description="Every emotion that reaches its threshold, the most probable first; the most probable one where "
        "none does. Null with a model that gives every picture exactly one emotion."
    )
    polarity: Polarity | None = Field(
        description="The side with the larger of `polarity_probabilities`, not that of `emotion`; null where the label "
        "set has not two sides."
    )
    confidence: float = Field(description="Probability of `emotion`.")


class QueryMood(Mood):
    """The model's opinion of a picture in full."""

    probabilities: dict[str, float] = Field(
        description="Probability of every emotion; they sum to 1, or, where `emotions` is given, each stands by itself."
    )
    polarity_probabilities: PolarityProbabilities | None = Field(
        description="Null where the label set has not two sides."
    )


class Classification(QueryMood):
    """Answer of /classify."""

    familiarity: float | None = Field(
        description="Share of ordinary pictures that are at least as unlike what the model learnt from: 1 is perfectly "
        "ordinary, 0 unlike every one of them; null where the model does not measure it."
    )
    unfamiliar: bool | None = Field(
        description="Whether the picture is so unlike what the model learnt from that its mood is a guess."
    )
    model_id: str


class GalleryPicture(Answer):
    """A picture of the gallery."""

    id: str = Field(description="The first 128 bits of the file's sha256, in hex.")
    label: str | None = Field(description="The gallery's own label; several are joined by `|`.")
    emotion: str = Field(description="As in the answer of /classify, of the gallery's picture.")
    emotions: list[str] | None = Field(description="As in the answer of /classify; null with the same models.")
    polarity: Polarity | None
    confidence: float
    url: str
    thumbnail_url: str
    metadata: dict[str, str] = Field(
        description="Further columns of the gallery's manifest, or what was given when the picture was added."
    )
    external_id: str | None = Field(description="The name that whoever added the picture has for it.")


class _Ranked(Answer):
    """Stands before GalleryPicture's fields in the JSON, for people who read it."""

    rank: int = Field(description="1 is the nearest.")
    id: str
    distance: float = Field(description="Euclidean distance of the normalised embeddings, 0 to 2.")


class SearchResult(GalleryPicture, _Ranked):
    """A neighbour."""


class SearchAnswer(Answer):
    """Answer of /search."""

    query: Classification
    results: list[SearchResult] = Field(description="Nearest first; fewer than k when the gallery holds fewer.")
    index_version: str
    model_id: str


class NeighboursAnswer(Answer):
    """Answer of /images/{id}/neighbours."""

    picture: GalleryPicture
    results: list[SearchResult] = Field(description="Nearest first, the picture itself left out.")
    index_version: str
    model_id: str


class JobProgressAnswer(Answer):
    """How far a job is."""

    stage: str = Field(description="scan, embed, map, build or publish.")
    done: int
    total: int


class JobAnswer(Answer):
    """A rebuild or a compaction of the index."""

    id: str
    kind: JobKind
    state: JobState
    created: datetime
    started: datetime | None
    finished: datetime | None
    progress: JobProgressAnswer | None
    counts: dict[str, int] | None = Field(
        description="Pictures embedded, reused, duplicates and skipped by a rebuild, added and removed by a "
        "compaction, once it succeeded."
    )
    index_version: str | None = Field(
        description="What it published; with `succeeded`, the service answers from it already."
    )
    error: str | None


class JobsAnswer(Answer):
    """Answer of GET /admin/jobs."""

    jobs: list[JobAnswer] = Field(description="Those of this process, newest first; at most 20.")


class RollbackAnswer(Answer):
    """Answer of /admin/index/rollback."""

    index_version: str = Field(description="The version that is live now.")
    previous_version: str | None


class Live(Answer):
    """Answer of /livez."""

    status: str


class Ready(Answer):
    """Answer of /readyz when it is."""

    status: str
    model_id: str
    index_version: str
    warnings: list[str] = Field(description="What does not keep the service from answering, such as a refused index.")


class EmotionFacts(Answer):
    """An emotion of the label set."""

    name: str
    polarity: Polarity | None


class TaxonomyFacts(Answer):
    """The label set."""

    name: str
    emotions: list[EmotionFacts]
    wheel: list[str] | None = Field(description="The emotions round the wheel; null where the label set has none.")


class ModelFacts(Answer):
    """The model."""

    model_id: str
    name: str
    taxonomy: TaxonomyFacts
    backbone: str
    embedding_dim: int
    precision: str
    runtime: str
    device: str
    thresholds: dict[str, float] | None = Field(
        description="Probability from which each emotion counts; null with a model of one emotion a picture."
    )
    metrics: dict[str, Any] = Field(description="Measured quality, by setting and metric.")
    terms: str = Field(description="Terms of use that come from the training data.")
    training_data: str


class IndexFacts(Answer):
    """The live index."""

    version: str
    count: int = Field(description="Pictures in the snapshot.")
    added: int = Field(description="Pictures added since; searched beside the snapshot.")
    metric: str
    kind: str
    recall: float = Field(description="Recall@10 against exact search, measured when it was built.")
    device: str = Field(description="Where searches run: cpu or cuda.")
    created: datetime


class Limits(Answer):
    """What requests may ask for."""

    max_upload_bytes: int
    max_pixels: int
    max_k: int
    max_batch_pictures: int = Field(description="Pictures in one request that takes several.")
    max_batch_bytes: int = Field(description="Bytes of all pictures of such a request together.")


class Info(Answer):
    """Answer of /info."""

    name: str
    version: str
    model: ModelFacts
    index: IndexFacts | None
    limits: Limits
    admin_enabled: bool


class Problem(BaseModel):
    """Every refusal (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str = Field(description="What was wrong and what to do, for people.")
    code: str = Field(description="Stable, for programs.")
    request_id: str
    job_id: str | None = Field(default=None, description="With `rebuild_running`: the job that runs.")
