"""Error rates of one threshold, bounded by Clopper-Pearson.

Jagielski, Ullman, Oprea 2020, "Auditing differentially private machine learning" (arXiv 2006.07709), Section 4. An
(epsilon, delta)-DP mechanism allows no test with
    FPR e^epsilon < 1 - delta - FNR   or   FNR e^epsilon < 1 - delta - FPR.

G1. epsilon exceeds the truth with a chance of at most 1 - confidence: each rate's upper bound fails with half of it,
    and both inequalities hold where neither fails.
G2. The threshold depends on no score that is counted but by its rank among the outside scores: see ``_rates``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from refdp.audit.estimators import estimators
from refdp.audit.estimators._one_threshold import OneThreshold
from refdp.audit.estimators._rates import Bound, Rates, upper_rate
from refdp.audit.estimators.base import Design


def bound(
    positives: np.ndarray, outside: int, negatives: np.ndarray, planted: int, delta: float, miss: float
) -> np.ndarray:
    """The bound at these counts [k]; negative or -inf where nothing is shown."""
    false_positive = upper_rate(positives, outside, miss / 2)
    false_negative = upper_rate(negatives, planted, miss / 2)
    with np.errstate(divide="ignore"):
        up = np.log(np.maximum(1 - delta - false_negative, 0)) - np.log(false_positive)
        down = np.log(np.maximum(1 - delta - false_positive, 0)) - np.log(false_negative)
    return np.asarray(np.maximum(up, down) - 1e-9)  # below, whatever was rounded


@estimators.register("clopper-pearson")
@dataclass(frozen=True)
class ClopperPearson(OneThreshold):
    """Upper bounds of both error rates at one threshold."""

    name: ClassVar[str] = "clopper-pearson"
    source: ClassVar[str] = "Jagielski et al. 2020, arXiv 2006.07709"
    layout: ClassVar[Bound] = staticmethod(bound)

    def value(self, rates: Rates, design: Design) -> float:
        """The better of both directions."""
        return rates.bound(bound, design)
