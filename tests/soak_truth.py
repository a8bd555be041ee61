"""What a gallery under load must hold: every picture's vector, and whether it is in, as far as answers have said."""

import threading
from typing import Any, Final, NamedTuple

import numpy as np

from emotion.predictor import Predictor
from fakes import encoded
from index.additions import NewPicture

NEAR: Final = 0.05
"""Below it a distance is the root of a difference that rounding makes: two runs of the model differ by 1e-6."""


TIE: Final = 2e-3


class State(NamedTuple):
    """Of one picture."""

    is_in: bool | None
    """None while a change is on its way, or was cut off."""
    n_changes: int


class Truth:
    """Pictures by seed. Each is changed by one thread only; any thread may check answers."""

    def __init__(self, predictor: Predictor, seeds: range, n_originals: int) -> None:
        self.pictures = {seed: NewPicture(encoded(seed)) for seed in seeds}
        self.seeds = {new.id: seed for seed, new in self.pictures.items()}
        predictions = [predictor.predict([new.data]) for new in self.pictures.values()]
        self._vectors = np.concatenate([one.embeddings for one in predictions]).astype(np.float64)
        names = predictor.taxonomy.names
        self.emotions = {
            seed: names[int(one.probabilities[0].argmax())] for seed, one in zip(seeds, predictions, strict=True)
        }
        self._states = {seed: State(is_in=seed < n_originals, n_changes=0) for seed in seeds}
        self._changing = threading.Lock()

    def begin(self, seed: int) -> None:
        """A change is on its way: from now on nobody knows."""
        with self._changing:
            self._states[seed] = State(None, self._states[seed].n_changes + 1)

    def settle(self, seed: int, *, is_in: bool) -> None:
        """An answer, or a look after a kill, has said."""
        with self._changing:
            self._states[seed] = State(is_in, self._states[seed].n_changes + 1)

    def states(self) -> dict[int, State]:
        """As they are now; to be given to `complaint` once the answer is there."""
        with self._changing:
            return dict(self._states)

    def is_in(self, seed: int) -> bool | None:
        """Of one picture."""
        return self._states[seed].is_in

    def open_seeds(self) -> list[int]:
        """Whose last change got no answer."""
        return [seed for seed, state in self.states().items() if state.is_in is None]

    def complaint(self, query: int, k: int, results: list[dict[str, Any]], before: dict[int, State]) -> str | None:
        """What is wrong with an answer by brute force; None for a right one.

        Args:
            query: seed of the picture that was asked with.
            k: how many were asked for.
            results: of the answer.
            before: states when the question was sent; what changed meanwhile may be in it or not.
        """
        now = self.states()
        settled = {seed: state.is_in for seed, state in before.items() if now[seed] == state}
        distances = np.linalg.norm(self._vectors - self._vectors[query], axis=1)
        found = [self.seeds.get(result["id"], -1) for result in results]
        if len(set(found)) != len(found) or -1 in found:
            return f"a picture twice, or one that was never there: {found}"
        back = [seed for seed in found if settled.get(seed) is False]
        if back:
            return f"resurrected: {back}"
        for seed, result in zip(found, results, strict=True):
            if not _is_close(result["distance"], float(distances[seed])):
                return f"picture {seed} at {result['distance']}, not {distances[seed]:.6f}"
        given = [result["distance"] for result in results]
        if given != sorted(given) or len(found) > k:
            return "out of order, or too many"
        reach = given[-1] if len(found) == k else np.inf
        missing = [seed for seed, is_in in settled.items() if is_in and seed not in found]
        lost = [seed for seed in missing if distances[seed] < reach - TIE]
        return f"lost: {lost}" if lost else None


def _is_close(given: float, exact: float) -> bool:
    return abs(given - exact) < (TIE if exact < NEAR else 1e-4)
