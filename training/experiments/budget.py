"""How much of a study is run."""

from enum import StrEnum


class Budget(StrEnum):
    """The value of `--setting`."""

    QUICK = "quick"
    """One seed; within an hour on two cores."""
    FULL = "full"
    """As many seeds as the study's page says."""
