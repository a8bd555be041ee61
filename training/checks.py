"""What a recipe, a label set and the labels do not give each other, told before the first picture is looked at."""

from collections.abc import Iterable

from emotion.network.spec import SentimentVectorSpec
from emotion.taxonomy import Taxonomy
from training.config import Init, NetworkConfig, TrainingConfig
from training.loss_settings import LossConfig
from training.probe import POLARITY_FILTERS


def emotions_failure(labels: Iterable[int], network: NetworkConfig, taxonomy: Taxonomy) -> str | None:
    """Why the labels at hand cannot be learnt: a probe has to tell two emotions apart, and nothing learns from none."""
    present = sorted(set(labels))
    if len(present) > 1 or (present and Init.PROBE not in (network.head_init, network.sv_init)):
        return None
    names = taxonomy.names[present[0]] if present else "no emotion"
    return (
        f"training needs pictures of two emotions; usable ones are there of {names}; only with "
        "network.head_init=random and network.sv_init=random is one enough"
    )


def polarity_warning(loss: LossConfig, taxonomy: Taxonomy) -> str | None:
    """What of the loss asks for two sides that the label set does not have."""
    if taxonomy.has_polarity or loss.w == 0:
        return None
    if loss.embedding.needs_polarity:
        return f"{taxonomy.name!r} has not two sides for loss.embedding={loss.embedding}; take another, or none"
    if loss.polarity_weight:
        return f"{taxonomy.name!r} has not two sides for loss.polarity_weight={loss.polarity_weight}; take 0"
    return None


def known_warning(n_known: int, n: int) -> str | None:
    """That a bundle to start from knows validation pictures."""
    if not n_known:
        return None
    return f"{n_known} of {n} validation pictures trained the bundle at network.start, which flatters their figures"


def filters_failure(network: NetworkConfig, taxonomy: Taxonomy) -> str | None:
    """Why the sentiment vector cannot start from a probe of so many emotions."""
    vector, needed = network.sentiment_vector, len(taxonomy.emotions) + POLARITY_FILTERS
    if network.sv_init is not Init.PROBE or vector.n_filters >= needed:
        return None
    dim = SentimentVectorSpec(n_filters=needed, n_levels=vector.n_levels).dim
    return (
        f"network.sv_init=probe needs a filter for each of {len(taxonomy.emotions)} emotions and two for polarity: set "
        f"network.sentiment_vector.n_filters={needed}, which makes the embedding {dim:,}-d, or network.sv_init=random"
    )


def unfreezing_warning(n_stages: int, config: TrainingConfig) -> str | None:
    """Which stages progressive unfreezing comes too late for."""
    every, epochs = config.optim.unfreeze_epochs, config.loop.epochs
    if not every or not epochs:
        return None
    n_learning = (epochs - 1) // every
    if n_learning >= n_stages:
        return None
    return (
        f"optim.unfreeze_epochs={every} with loop.epochs={epochs} lets {n_learning} of {n_stages} stages learn; all do "
        f"from loop.epochs={every * n_stages + 1} on"
    )
