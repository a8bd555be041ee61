"""The sweeps: which points there are, and the source's claims held against made-up answers."""

from pathlib import Path

import pytest

from emotion.errors import ConfigError
from emotion.taxonomy import MIKELS
from study_fakes import NoisyMethod, made_up_folds, made_up_samples
from training.config_file import load_config
from training.experiments.budget import Budget
from training.experiments.hyper import ALPHAS2, OMEGAS, Sweep, key
from training.experiments.rows import Row
from training.experiments.runner import run_rows
from training.experiments.trained import config_of

SAMPLES = made_up_samples(18)


@pytest.mark.parametrize(("source", "w", "n"), [("default", 0.5, 12), ("paper", 0.7, 12), ("w=0.4", 0.4, 13)])
def test_the_sweeps_meet_in_the_base_which_is_trained_once(source: str, w: float, n: int) -> None:
    sets = [f"loss.{source}"] if "=" in source else []
    sweep = Sweep("default" if sets else source, Budget.QUICK, sets=sets)
    points = [(config_of(row).loss.w, config_of(row).loss.alpha2) for row in sweep.rows()]
    assert len(points) == len(set(points)) == n
    assert {point[0] for point in points if point[1] == 0.1} == {*OMEGAS, w}
    assert {point[1] for point in points if point[0] == w} == set(ALPHAS2)
    assert sweep.study().base == key(w, 0.1) in {row.key for row in sweep.rows()}


def test_only_the_two_differ_from_the_base() -> None:
    sweep = Sweep("default", Budget.QUICK)
    for row in sweep.rows():
        found, base = config_of(row).model_dump(), sweep.base.model_dump()
        assert {name for name in base if found[name] != base[name]} <= {"name", "loss"}
        assert {name for name in base["loss"] if found["loss"][name] != base["loss"][name]} <= {"w", "alpha2"}


def test_a_recipe_without_these_margins_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"hyper sweeps margins that loss\.embedding=triplet does not have"):
        Sweep("default", Budget.QUICK, sets=["loss.embedding=triplet"])


@pytest.mark.parametrize(
    ("noises", "of_omega", "of_alpha2"),
    [
        ({}, "So it is here", "Beyond that range mAP8 differs from that of .1 at none of those done."),
        ({key(0.8, 0.1): 1.5}, "Not so here: w = 0.8 and", "none of those done"),
        ({key(0.6, 0.1): 0.52}, "can neither confirm nor refute it", "none of those done"),
        ({key(0.5, 0.2): 1.5}, "So it is here", "told apart"),
        ({key(0.5, 0.4): 1.5}, "So it is here", "differs from that of .1 at 0.4 (worse"),
    ],
)
def test_the_claims_are_held_against_what_was_found(
    tmp_path: Path, noises: dict[str, float], of_omega: str, of_alpha2: str
) -> None:
    sweep = Sweep("default", Budget.QUICK)
    rows = [Row(row.key, row.title, NoisyMethod(noises.get(row.key, 0.5))) for row in sweep.rows()]
    text = run_rows(sweep.study(), rows, SAMPLES, MIKELS, made_up_folds(SAMPLES), tmp_path, numbers=[0], resamples=50)
    paragraphs = text.split("\n\n")
    (omega,) = [part for part in paragraphs if part.startswith("The source, of w:")]
    (alpha2,) = [part for part in paragraphs if part.startswith("The source, of alpha2:")]
    assert of_omega in omega
    assert of_alpha2 in alpha2


def test_a_claim_waits_for_its_rows(tmp_path: Path) -> None:
    sweep = Sweep("default", Budget.QUICK)
    rows = [Row(row.key, row.title, NoisyMethod(0.5)) for row in sweep.rows()]
    some = [row for row in rows if row.key in (key(0.5, 0.1), key(0.7, 0.1))]
    failing = Row(key(0.6, 0.1), "interrupted", NoisyMethod(0.5, failure=KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        run_rows(
            sweep.study(),
            [*some, failing, *[row for row in rows if row not in some and row.key != failing.key]],
            SAMPLES,
            MIKELS,
            made_up_folds(SAMPLES),
            tmp_path,
            numbers=[0],
            resamples=20,
        )
    text = (tmp_path / "hyper.md").read_text()
    assert text.count("Not all of these are done here yet.") == 2


def test_the_presets_are_as_the_docs_say() -> None:
    assert load_config("default").loss.w == 0.5
    assert load_config("paper").loss.w == 0.7
