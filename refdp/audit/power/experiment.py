"""The experiment whose power is asked for: how many canaries, and ideal scores of a Gaussian leak for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refdp.audit.scores import Scores
from refdp.errors import RefDPError
from refdp.validate import whole


@dataclass(frozen=True)
class Sizes:
    """Numbers of canaries over all runs; the fields mean what they mean in Scores."""

    planted: int
    left_out: int
    references: int = 0
    runs: int = 1
    fair_coins: bool = True

    def __post_init__(self) -> None:
        whole(0, planted=self.planted, left_out=self.left_out, references=self.references)
        whole(1, runs=self.runs)
        if not self.planted + self.left_out:
            raise RefDPError("planted + left_out = 0: an audit needs canaries; plant some")

    @classmethod
    def of(cls, scores: Scores) -> Sizes:
        """The sizes of these scores."""
        counts = (len(scores.planted), len(scores.left_out), len(scores.references))
        return cls(*counts, runs=scores.runs, fair_coins=scores.fair_coins)

    @property
    def canaries(self) -> int:
        """m, planted or left out."""
        return self.planted + self.left_out

    def times(self, factor: int) -> Sizes:
        """So many times the canaries in as many runs (times the runs, where each run holds one canary)."""
        runs = self.runs * factor if self.runs == self.canaries else self.runs
        return Sizes(
            self.planted * factor, self.left_out * factor, self.references * factor, runs, self.fair_coins
        )

    def perfect(self) -> Scores:
        """Every planted canary above every other."""
        outside = -1.0 - np.arange(self.left_out + self.references)
        inside = 1.0 + np.arange(self.planted)
        return self._scores(inside, outside)

    def gaussian(self, mu: float, seed: int) -> Scores:
        """Scores N(mu, 1) where planted, N(0, 1) elsewhere; the same draws at every mu."""
        rng = np.random.default_rng([seed, 8])
        return self._scores(
            rng.standard_normal(self.planted) + mu, rng.standard_normal(self.left_out + self.references)
        )

    def _scores(self, inside: np.ndarray, outside: np.ndarray) -> Scores:
        return Scores(inside, outside[: self.left_out], outside[self.left_out :], self.fair_coins, self.runs)
