"""How a multi-label embedding is learnt; torch-free, because the command line names it."""

from enum import StrEnum


class Method(StrEnum):
    """How the embedding is learnt."""

    TRIPLET = "triplet"
    """By likeness of labels; the classifier afterwards, on the frozen embedding."""
    BCE = "bce"
    """By the classifier's binary cross entropy, both together: what the study's way is held against."""
