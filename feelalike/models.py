"""What the service answers, as frozen models; fields that a newer service has besides are left out."""

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

Polarity = Literal["positive", "negative"]
ItemT = TypeVar("ItemT", bound="Item")


class Answer(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class PolarityProbabilities(Answer):
    """The probabilities of the two sides; they sum to 1."""

    positive: float
    negative: float


class Classification(Answer):
    """What the model says of a picture."""

    emotion: str
    emotions: list[str] | None
    """Every emotion that reaches its threshold, with a model of several a picture; else None."""
    polarity: Polarity | None
    """The likelier side, not that of `emotion`; None where the label set has not two sides."""
    confidence: float
    """Probability of `emotion`."""
    probabilities: dict[str, float]
    polarity_probabilities: PolarityProbabilities | None
    familiarity: float | None
    """Share of ordinary pictures at least as unlike what the model learnt from; None where it is not measured."""
    unfamiliar: bool | None
    """Whether the mood is a guess, because the picture is so unlike what the model learnt from."""
    model_id: str


class GalleryPicture(Answer):
    """A picture of the gallery."""

    id: str
    label: str | None
    """The gallery's own; several are joined by `|`."""
    emotion: str
    """The model's."""
    emotions: list[str] | None
    polarity: Polarity | None
    confidence: float
    url: str
    thumbnail_url: str
    metadata: dict[str, str]
    external_id: str | None

    @property
    def labels(self) -> tuple[str, ...]:
        """The gallery's own labels one by one."""
        return tuple(label for part in (self.label or "").split("|") if (label := part.strip()))


class SearchResult(GalleryPicture):
    """A picture of the gallery, found."""

    rank: int
    """1 is the nearest."""
    distance: float
    """Euclidean, of the normalised embeddings: 0 to 2."""


class SearchAnswer(Answer):
    """The pictures nearest to one that was sent."""

    query: Classification
    results: list[SearchResult]
    """Nearest first; fewer than k where fewer are there, or pass the filters."""
    index_version: str
    model_id: str


class MoodAnswer(Answer):
    """The pictures most typical of a mood."""

    mood: str
    results: list[SearchResult]
    index_version: str
    model_id: str


class NeighboursAnswer(Answer):
    """A picture of the gallery and those nearest to it, itself left out."""

    picture: GalleryPicture
    results: list[SearchResult]
    index_version: str
    model_id: str


class PictureDetails(GalleryPicture):
    """A picture of the gallery with all that the model said of it."""

    probabilities: dict[str, float]
    polarity_probabilities: PolarityProbabilities | None
    width: int | None
    """Of the upright picture, in pixels; None when its file is not there."""
    height: int | None


class DetailsAnswer(Answer):
    """Those of the pictures asked for that the gallery holds."""

    pictures: list[PictureDetails]
    index_version: str
    model_id: str


class Embedding(Answer):
    """The vector that searches compare."""

    embedding: list[float]
    """L2-normalised."""
    precision: str
    model_id: str


class ItemProblem(Answer):
    """Why one picture of several was refused."""

    title: str
    status: int
    """What this picture alone would have been refused with; 503 may be sent again later."""
    detail: str
    code: str


class Item(Answer):
    """What became of one picture of several."""

    error: ItemProblem | None = None
    """None where all is well; then the other fields are there."""


class Batch(Answer, Generic[ItemT]):
    """Of one request; the client's methods for many pictures make as many as it takes."""

    items: list[ItemT]
    """In the order of the pictures."""
    model_id: str


class ClassifiedItem(Item):
    """One picture of several, classified."""

    classification: Classification | None = None


class ClassifyBatchAnswer(Batch[ClassifiedItem]):
    """Several pictures, classified."""


class SearchedItem(Item):
    """One picture of several: what the model says, and what was found."""

    query: Classification | None = None
    results: list[SearchResult] | None = None


class SearchBatchAnswer(Batch[SearchedItem]):
    """Several pictures, searched for in one state of the gallery."""

    index_version: str


class AddedItem(Item):
    """One picture, put into the gallery."""

    created: bool = False
    """False where the gallery had it already, or did not take it."""
    picture: GalleryPicture | None = None


class AddAnswer(Batch[AddedItem]):
    """Several pictures, put into the gallery."""

    index_version: str


class GalleryPage(Answer):
    """Some pictures of the gallery; `pictures` goes through all pages of them."""

    pictures: list[GalleryPicture]
    next_cursor: str | None
    index_version: str
    model_id: str


class GalleryMap(Answer):
    """The gallery laid flat; the lists of points have one entry for each of them, in one order."""

    ids: list[str]
    x: list[int]
    """From the left, 0 to 10000."""
    y: list[int]
    """From the bottom."""
    emotion: list[int]
    """The predicted one, as its place in `emotions`."""
    label: list[int | None]
    """The gallery's own, as its place in `labels`."""
    emotions: list[str]
    labels: list[str]
    count: int
    """Pictures that have a place; above the limit the points are a sample."""
    added: int
    """Pictures added since the index was made, which have none."""
    method: str
    kept: float
    """Share of the 10 nearest pictures that are among the 10 nearest on the map."""
    index_version: str
    model_id: str


class JobProgress(Answer):
    """How far a job is."""

    stage: str
    """scan, embed, build or publish."""
    done: int
    total: int


class Job(Answer):
    """A rebuild or a compaction of the index."""

    id: str
    kind: str = "rebuild"
    """Or compact."""
    state: str
    """queued, running, succeeded, failed or cancelled."""
    created: datetime
    started: datetime | None
    finished: datetime | None
    progress: JobProgress | None
    counts: dict[str, int] | None
    index_version: str | None
    """What it published."""
    error: str | None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.finished is not None


class Jobs(Answer):
    """The jobs that the service remembers."""

    jobs: list[Job]
    """Newest first."""


class Rollback(Answer):
    """The versions after and before."""

    index_version: str
    previous_version: str | None


class Live(Answer):
    """The process works."""

    status: str


class Ready(Answer):
    """Searches are answered."""

    status: str
    model_id: str
    index_version: str
    warnings: list[str]


class EmotionFacts(Answer):
    """An emotion of the label set."""

    name: str
    polarity: Polarity | None


class TaxonomyFacts(Answer):
    """The label set."""

    name: str
    emotions: list[EmotionFacts]
    wheel: list[str] | None


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
    thresholds: dict[str, float] | None
    metrics: dict[str, Any]
    terms: str
    training_data: str


class IndexFacts(Answer):
    """The live index."""

    version: str
    count: int
    """Pictures in the snapshot."""
    added: int
    """Pictures added since."""
    metric: str
    kind: str
    recall: float
    device: str
    created: datetime


class Limits(Answer):
    """What requests may ask for."""

    max_upload_bytes: int
    max_pixels: int
    max_k: int
    max_batch_pictures: int = 16
    """Of one request; the service's own default where it does not tell."""
    max_batch_bytes: int = 64 * 2**20


class Info(Answer):
    """Facts of the service."""

    name: str
    version: str
    model: ModelFacts
    index: IndexFacts | None
    limits: Limits
    admin_enabled: bool
