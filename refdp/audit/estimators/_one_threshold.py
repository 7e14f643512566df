"""What the estimators that count errors at one threshold share."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from refdp.audit.estimators._answer import assumptions, empty_class, refuse, too_few
from refdp.audit.estimators._rates import Bound, Rates, count, told_right
from refdp.audit.estimators.base import Design, Estimate, Estimator
from refdp.audit.scores import Scores


@dataclass(frozen=True)
class OneThreshold(Estimator):
    """Counts at one threshold, then a bound from the counts.

    Attributes:
        layout: the bound that the threshold is laid out for.
        rests_on: assumptions of its own.
    """

    layout: ClassVar[Bound]
    rests_on: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def value(self, rates: Rates, design: Design) -> float:
        """The bound at these counts; 0 or less where nothing is shown."""

    def above(self, claim: float, rates: Rates, design: Design) -> bool:
        """Whether the bound at these counts is above the claim."""
        return self.value(rates, design) > claim

    def exceeds(self, scores: Scores, design: Design, claim: float) -> bool:
        """Whether the bound is above the claim."""
        if empty_class(scores):
            return False
        return self.above(claim, count(scores, design, type(self).layout), design)

    def estimate(self, scores: Scores, design: Design) -> Estimate:
        """The bound; both classes are needed."""
        reason = empty_class(scores)
        if reason:
            return refuse(self.name, reason)
        rates = count(scores, design, type(self).layout)

        def best(times: int) -> float:
            sizes = len(scores.planted) * times, len(scores.outside) * times
            return self.value(told_right(*sizes, design, type(self).layout), design)

        ceiling = max(self.value(rates.ceiling(), design), best(1))
        if ceiling <= 0:
            return refuse(self.name, too_few(best, design.confidence))
        epsilon = max(self.value(rates, design), 0.0)  # epsilon is never negative, so 0 always holds
        return Estimate(
            self.name,
            epsilon,
            ceiling,
            assumes=assumptions(scores, *self.rests_on),
            details=dict(vars(rates)),
        )
