"""Pictures that show the figures at work: retrieved neighbours, good and bad, and the pairs confused most."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from emotion.taxonomy import Taxonomy
from training.evaluation.embedding_map import answer
from training.evaluation.evaluate import Evaluation, Scored
from training.evaluation.palette import Style
from training.evaluation.ranking import Ranking
from training.evaluation.retrieval import average_precision
from training.evaluation.thumbnails import Thumbnails

MAX_PANELS = 64
MAX_PAIRS = 8
PAIR_EXAMPLES = 3


@dataclass(frozen=True)
class Picture:
    """A picture as the page shows it; `uri` is None where the file cannot be read."""

    uri: str | None
    name: str
    emotion: str
    index: int
    answer: str
    """What the class head says."""


@dataclass(frozen=True)
class Neighbour:
    """One retrieved picture; `distance` is Euclidean."""

    picture: Picture
    rank: int
    distance: float
    hit: bool
    same_side: bool


@dataclass(frozen=True)
class Panel:
    """A query and its nearest three, as in Figure 5 of the AAAI-18 paper."""

    query: Picture
    kind: str
    ap: float
    neighbours: tuple[Neighbour, ...]


@dataclass(frozen=True)
class Pair:
    """Pictures of one emotion that were named another."""

    true: str
    named: str
    count: int
    share: float
    crosses: bool
    """The answer has the opposite polarity."""
    examples: tuple[Picture, ...]


def query_ap(ranking: Ranking) -> Float64[np.ndarray, "q"]:
    """Each query's average precision by emotion; NaN where nothing is relevant."""
    ap = np.full(len(ranking.by_emotion), np.nan)
    able = ranking.by_emotion.any(axis=1)
    if able.any():
        ap[able] = average_precision(ranking.by_emotion[able])
    return ap


def panels(
    queries: Scored,
    database: Scored,
    taxonomy: Taxonomy,
    ranking: Ranking,
    thumbnails: Thumbnails,
    shown: Sequence[Style],
) -> list[Panel]:
    """For each emotion the query of the highest and of the lowest AP (ties: the first by content hash)."""
    ap = query_ap(ranking)
    chosen = []
    for style in shown:
        rows = np.flatnonzero((queries.labels == style.index) & ~np.isnan(ap))
        if len(rows):
            best, worst = int(rows[ap[rows].argmax()]), int(rows[ap[rows].argmin()])
            chosen += [(best, "best")] if best == worst else [(best, "best"), (worst, "worst")]
    return [
        Panel(
            picture(queries, row, taxonomy, thumbnails),
            kind,
            float(ap[row]),
            _neighbours(queries, database, row, taxonomy, ranking, thumbnails),
        )
        for row, kind in chosen[:MAX_PANELS]
    ]


def confused_pairs(evaluation: Evaluation, queries: Scored, taxonomy: Taxonomy, thumbnails: Thumbnails) -> list[Pair]:
    """The largest cells beside the diagonal, with the errors that the head was surest of."""
    confusion = evaluation.classification.confusion
    named = queries.probs.argmax(axis=1)
    cells = [(int(confusion[i, j]), i, j) for i, j in zip(*np.nonzero(confusion), strict=True) if i != j]
    cells.sort(key=lambda cell: (-cell[0], cell[1], cell[2]))
    sides = taxonomy.polarity_codes()
    found = []
    for count, i, j in cells[:MAX_PAIRS]:
        rows = np.flatnonzero((queries.labels == i) & (named == j))
        surest = rows[np.argsort(-queries.probs[rows, j], kind="stable")][:PAIR_EXAMPLES]
        pictures = tuple(picture(queries, int(row), taxonomy, thumbnails) for row in surest)
        share = count / int(confusion[i].sum())
        crosses = bool(sides[i] >= 0 and sides[j] >= 0 and sides[i] != sides[j])
        found.append(Pair(taxonomy.names[i], taxonomy.names[j], count, share, crosses, pictures))
    return found


def picture(scored: Scored, row: int, taxonomy: Taxonomy, thumbnails: Thumbnails) -> Picture:
    """A scored picture with its label, and what the head says."""
    path, index = scored.samples[row].path, int(scored.labels[row])
    named = int(scored.probs[row].argmax())
    emotion = taxonomy.names[index]
    said = answer(emotion, taxonomy.names[named], float(scored.probs[row, named]))
    return Picture(thumbnails.large(path), path.name, emotion, index, said)


def _neighbours(
    queries: Scored, database: Scored, row: int, taxonomy: Taxonomy, ranking: Ranking, thumbnails: Thumbnails
) -> tuple[Neighbour, ...]:
    sides = taxonomy.polarity_codes()
    query_side = sides[queries.labels[row]]
    return tuple(
        Neighbour(
            picture(database, int(found), taxonomy, thumbnails),
            place + 1,
            float(np.linalg.norm(queries.embeddings[row] - database.embeddings[found])),
            hit=bool(ranking.by_emotion[row, place]),
            same_side=bool(taxonomy.has_polarity and query_side >= 0 and sides[database.labels[found]] == query_side),
        )
        for place, found in enumerate(ranking.top[row, : ranking.searched[row]].tolist())
    )
