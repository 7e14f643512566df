"""What every estimator of a lower bound takes: how much each canary looks like a member."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from refdp.errors import RefDPError
from refdp.validate import whole


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of canaries, higher where a canary looks more like a member.

    Attributes:
        planted: float64 [n1], of canaries that were in the training set.
        left_out: float64 [n0], of canaries that were not, and might have been.
        references: float64 [nr], of canaries drawn like the others that were never to be planted: more draws of what a
            canary scores that is left out. Not part of the guessing game.
        fair_coins: each canary was planted or left out by a fair coin of its own.
        runs: number of training runs; canaries of one run share their noise and may touch each other.
    """

    planted: np.ndarray
    left_out: np.ndarray
    references: np.ndarray = field(default_factory=lambda: np.zeros(0))
    fair_coins: bool = False
    runs: int = 1

    def __post_init__(self) -> None:
        whole(1, runs=self.runs)
        for name in ("planted", "left_out", "references"):
            values = np.asarray(getattr(self, name), dtype=np.float64)
            if values.ndim != 1:
                raise RefDPError(f"{name}: has shape {values.shape}; one score a canary is needed")
            missing = np.flatnonzero(np.isnan(values))
            if len(missing):
                raise RefDPError(
                    f"{name}: score {missing[0]} of {len(values)} is NaN; a canary without a score has no place in an "
                    "audit: find out why, and leaving it out must not depend on whether it was planted"
                )
            object.__setattr__(self, name, values)

    @property
    def canaries(self) -> int:
        """m, planted or left out."""
        return len(self.planted) + len(self.left_out)

    @property
    def outside(self) -> np.ndarray:
        """Scores of all that were not planted [n0 + nr]."""
        return np.concatenate([self.left_out, self.references])

    @property
    def independent(self) -> bool:
        """Whether no two scores, those of references included, come from one run."""
        return self.runs == self.canaries + len(self.references)
