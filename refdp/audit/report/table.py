"""Every estimator on one set of scores, side by side, and a verdict by the one that was named beforehand.

refuted         its lower bound exceeds the claim
cannot refute   it does not, and no scores could have made it: the ceiling does not exceed the claim
not refuted     it does not
no bound        that estimator allows none on these scores

G1. The verdict rests on the declared estimator alone: what the others show changes nothing.
G2. "refuted" only where the declared estimator's bound, as a number and not as printed, exceeds the claim.
G3. No figure depends on the order of the scores within a class, nor on what a strictly increasing map does to them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from refdp.audit.estimators import Design, estimators
from refdp.audit.power import Sizes, canaries_needed
from refdp.audit.report.row import Row, row
from refdp.audit.report.theory import Theory
from refdp.audit.scores import Scores
from refdp.audit.scores.direction import against
from refdp.audit.scores.ordering import in_canonical_order
from refdp.errors import RefDPError
from refdp.validate import non_negative

SCHEMA = "refdp-audit-scores/1"
REFUTED, NOT_REFUTED, CANNOT, NO_BOUND = "refuted", "not refuted", "cannot refute", "no bound"


@dataclass(frozen=True)
class Report:
    """What these scores show.

    Attributes:
        rows: one an estimator, by name.
        claimed: the epsilon to be refuted; None: there is no verdict.
        verdict_by: the estimator declared beforehand.
        needed: canaries before the declared estimator could refute the claim at all; None where it can already, where
            that was not asked for, and above 10^6.
        notes: what else a reader must know; a line each.
    """

    sizes: Sizes
    design: Design
    theory: Theory
    claimed: float | None
    verdict_by: str
    rows: tuple[Row, ...]
    needed: int | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def declared(self) -> Row:
        """The row that the verdict goes by."""
        return next(each for each in self.rows if each.name == self.verdict_by)

    @property
    def verdict(self) -> str | None:
        """See the module's text; None without a claim."""
        found = self.declared.estimate
        if found.epsilon is None:
            return NO_BOUND
        if self.claimed is None:
            return None
        if found.epsilon > self.claimed:
            return REFUTED
        return CANNOT if found.ceiling is not None and found.ceiling <= self.claimed else NOT_REFUTED

    @property
    def exit_code(self) -> int:
        """3: refuted; 2: the declared estimator allows no bound; 0 else."""
        return {REFUTED: 3, NO_BOUND: 2}.get(self.verdict or "", 0)

    def to_json(self) -> dict[str, Any]:
        """The ``refdp-audit-scores/1`` document; a training run adds its facts as ``run``."""
        from refdp.audit.report.words import summary

        sizes, design = self.sizes, self.design
        return {
            "schema": SCHEMA,
            "verdict": self.verdict,
            "verdict_by": self.verdict_by,
            "summary": summary(self),
            "claimed": None if self.claimed is None else {"epsilon": self.claimed, "delta": design.delta},
            "delta": design.delta,
            "confidence": design.confidence,
            "seed": design.seed,
            "theory": self.theory.to_json(),
            "canaries": {
                "planted": sizes.planted,
                "left_out": sizes.left_out,
                "references": sizes.references,
                "runs": sizes.runs,
                "fair_coins": sizes.fair_coins,
            },
            "estimators": [each.to_json() for each in self.rows],
            "canaries_needed": self.needed,
            "notes": list(self.notes),
        }


def report(
    scores: Scores,
    design: Design,
    theory: Theory,
    claimed: float | None,
    verdict_by: str,
    quick: bool = False,
) -> Report:
    """Every registered estimator on these scores.

    Args:
        scores: put into an order of their own first (``refdp.audit.scores.ordering``).
        claimed: finite, >= 0, or None.
        verdict_by: the estimator that decides, named before any score was seen.
        quick: leave out what the experiment could have shown (seconds an estimator).

    Raises:
        RefDPError: an unknown estimator, a claim that is none, no canaries.
    """
    estimators.get(verdict_by)
    if claimed is not None:
        non_negative(claimed=claimed)
    sizes, scores = Sizes.of(scores), in_canonical_order(scores)
    leak = theory.upper if theory.upper is not None and math.isfinite(theory.upper) else claimed
    rows = tuple(row(name, scores, design, claimed or 0.0, leak, quick) for name in estimators.names())
    found = Report(sizes, design, theory, claimed, verdict_by, rows)
    needed = None
    if found.verdict == CANNOT and claimed is not None and not quick:
        needed = canaries_needed(verdict_by, sizes, design, claimed)
    notes = tuple(_notes(found, scores))
    return Report(sizes, design, theory, claimed, verdict_by, rows, needed, notes)


def refuse_no_bound(found: Report) -> None:
    """Raise RefDPError with the declared estimator's reason, where it allows no bound."""
    if found.verdict == NO_BOUND:
        raise RefDPError(
            f"--estimator {found.verdict_by}: allows no bound on these scores: {found.declared.estimate.refused}; no "
            "other is taken in its place, since one chosen after the scores were seen does not hold at its confidence"
        )


def _notes(found: Report, scores: Scores) -> list[str]:
    notes = []
    if (line := against(scores)) is not None:
        notes.append(line)
    theory, bound = found.theory, found.declared.estimate.epsilon
    if bound is not None and theory.upper is not None and bound > theory.upper:
        notes.append(
            f"{found.verdict_by}'s bound exceeds the theoretical upper epsilon: the run was not what was accounted, "
            "or what the estimator assumes does not hold"
        )
    gaussian = [each.name for each in found.rows if any("GDP" in line for line in each.estimate.assumes)]
    if gaussian and theory.full_participation is False:
        notes.append(
            f"{', '.join(gaussian)}: assumes mu-GDP, but batches were subsampled, and a subsampled run is not mu-GDP: "
            "an estimate that may exceed epsilon, not a bound"
        )
    return notes
