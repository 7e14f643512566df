"""One estimator's line of the table: its bound on these scores, and what it could have shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from refdp.audit.estimators import Design, Estimate, estimators
from refdp.audit.power import Power, Sizes, larger, power
from refdp.audit.scores import Scores

FACTORS = (4, 16)


@dataclass(frozen=True)
class Row:
    """An estimator on these scores.

    Attributes:
        estimate: its answer; what it assumes is there.
        power: what an experiment of this size can show; None where that was not asked for.
        larger: the same with 4 and 16 times the canaries; empty where that was not asked for.
    """

    estimate: Estimate
    power: Power | None = None
    larger: tuple[Power, ...] = ()

    @property
    def name(self) -> str:
        """The estimator's."""
        return self.estimate.estimator

    def to_json(self) -> dict[str, Any]:
        """As it stands in ``refdp-audit-scores/1``."""
        found = self.estimate
        return {
            "name": found.estimator,
            "source": estimators.get(found.estimator).source,
            "epsilon": {"lower": found.epsilon},
            "ceiling": found.ceiling,
            "refused": found.refused,
            "assumes": list(found.assumes),
            "details": found.details,
            "power": None if self.power is None else _power(self.power),
            "larger": [_power(each) for each in self.larger],
        }


def _power(found: Power) -> dict[str, Any]:
    return {
        "canaries": found.canaries,
        "runs": found.runs,
        "ceiling": found.ceiling,
        "smallest_refutable": found.smallest_refutable,
        "chance": found.chance,
        "expected": {"leak": found.leak, "lower": found.expected},
        "refused": found.refused,
    }


def row(name: str, scores: Scores, design: Design, claim: float, leak: float | None, quick: bool) -> Row:
    """Ask one estimator; its power for a claim, and for the leak that its bound is expected of, unless ``quick``."""
    found = estimators.create(name).estimate(scores, design)
    if quick:
        return Row(found)
    sizes = Sizes.of(scores)
    return Row(
        found, power(name, sizes, design, claim, leak), larger(name, sizes, design, claim, factors=FACTORS)
    )
