"""What every estimator is: scores in, a lower bound on epsilon out, with what it rests on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from refdp.audit.scores import Scores
from refdp.validate import non_negative, strictly_between, whole


@dataclass(frozen=True)
class Design:
    """What was decided before any score was seen.

    Attributes:
        delta: in (0, 1).
        confidence: in (0, 1): the chance that a bound holds, one-sided.
        expected_epsilon: the leak that thresholds and numbers of guesses are laid out for: the claim, as a rule; None
            where there is none. Of no influence on whether a bound holds, only on how good it is.
        seed: of held-out splits and of what else an estimator draws; never depends on the scores.
    """

    delta: float
    confidence: float = 0.95
    expected_epsilon: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        strictly_between(0, 1, delta=self.delta, confidence=self.confidence)
        whole(0, seed=self.seed)
        if self.expected_epsilon is not None:
            non_negative(expected_epsilon=self.expected_epsilon)

    @property
    def miss(self) -> float:
        """The chance that a bound may fail."""
        return 1 - self.confidence


@dataclass(frozen=True)
class Estimate:
    """One estimator's answer.

    Attributes:
        estimator: its name.
        epsilon: lower bound; 0 where nothing is shown; None where these scores allow no bound at all.
        ceiling: the bound had every guess at a canary been right (for one-run estimators: with as many planted as left
            out): no leak, however large, can be shown to be more with so many canaries under this design. None where
            epsilon is.
        refused: why there is no bound; None where there is one.
        assumes: what the bound rests on beyond the fair planting of canaries; a line each, empty for nothing.
        details: what was counted: thresholds, guesses, errors.
    """

    estimator: str
    epsilon: float | None
    ceiling: float | None
    refused: str | None = None
    assumes: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)


class Estimator(ABC):
    """A registered estimator: a frozen dataclass.

    G1. At the design's confidence ``epsilon`` is at most the true epsilon at delta, given what it ``assumes``.
    G2. Nothing but the order of the scores is used.
    """

    name: ClassVar[str]
    source: ClassVar[str]

    @abstractmethod
    def estimate(self, scores: Scores, design: Design) -> Estimate:
        """The lower bound these scores show; never raises for scores that allow none: see ``Estimate.refused``."""

    def exceeds(self, scores: Scores, design: Design, claim: float) -> bool:
        """Whether the bound is above the claim; where there is a quicker way than the bound itself."""
        bound = self.estimate(scores, design).epsilon
        return bound is not None and bound > claim

    def typical(self, experiments: Sequence[Scores], design: Design) -> float:
        """The median bound of experiments of one size, none of which may be refused."""
        return float(np.median([self.estimate(scores, design).epsilon or 0.0 for scores in experiments]))
