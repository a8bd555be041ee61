"""What the routes of the live gallery and the batch routes answer."""

from pydantic import Field

from service.schemas import Answer, Classification, GalleryPicture, PolarityProbabilities, SearchResult


class ItemProblem(Answer):
    """Why one picture of several was refused; the others are answered all the same."""

    title: str
    status: int = Field(description="The HTTP status that this picture alone would have been refused with.")
    detail: str = Field(description="What was wrong and what to do, for people.")
    code: str = Field(description="Stable, for programs.")


class AddedItem(Answer):
    """What became of one picture."""

    created: bool = Field(description="False where the gallery had the picture already, or did not take it.")
    picture: GalleryPicture | None = Field(description="As it stands in the gallery; null with an error.")
    error: ItemProblem | None


class AddAnswer(Answer):
    """Answer of POST /images."""

    items: list[AddedItem] = Field(description="In the order of the files.")
    index_version: str
    model_id: str


class GalleryPage(Answer):
    """Answer of GET /images."""

    pictures: list[GalleryPicture] = Field(description="In the order of their ids.")
    next_cursor: str | None = Field(description="`cursor` of the next page; null on the last one.")
    index_version: str
    model_id: str


class EmbedAnswer(Answer):
    """Answer of /embed."""

    embedding: list[float] = Field(description="L2-normalised; compare with others of the same model and precision.")
    precision: str
    model_id: str


class ClassifiedItem(Answer):
    """One picture of /classify/batch."""

    classification: Classification | None = Field(description="Null with an error.")
    error: ItemProblem | None


class ClassifyBatchAnswer(Answer):
    """Answer of /classify/batch."""

    items: list[ClassifiedItem] = Field(description="In the order of the files.")
    model_id: str


class SearchedItem(Answer):
    """One picture of /search/batch."""

    query: Classification | None = Field(description="Null with an error.")
    results: list[SearchResult] | None = Field(description="As in the answer of /search; null with an error.")
    error: ItemProblem | None


class SearchBatchAnswer(Answer):
    """Answer of /search/batch; all of it from one state of the gallery."""

    items: list[SearchedItem] = Field(description="In the order of the files.")
    index_version: str
    model_id: str


class PictureDetails(GalleryPicture):
    """A picture of the gallery with all that the model said of it."""

    probabilities: dict[str, float] = Field(description="As in the answer of /classify.")
    polarity_probabilities: PolarityProbabilities | None = Field(description="As in the answer of /classify.")
    width: int | None = Field(description="Of the upright picture, in pixels; null when its file is not there.")
    height: int | None = Field(description="Likewise.")


class DetailsAnswer(Answer):
    """Answer of GET /images/details."""

    pictures: list[PictureDetails] = Field(description="Those of the ids that the gallery holds, in their order.")
    index_version: str
    model_id: str


class MoodAnswer(Answer):
    """Answer of GET /search."""

    mood: str
    results: list[SearchResult] = Field(description="Nearest to the middle of the gallery's pictures of this mood.")
    index_version: str
    model_id: str
