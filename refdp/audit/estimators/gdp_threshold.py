"""Gaussian differential privacy from the error rates of one threshold.

Nasr et al. 2023, "Tight auditing of differentially private machine learning" (arXiv 2302.07956), Section 5: a
mu-GDP mechanism (Dong, Roth, Su 2019, arXiv 1905.02383) allows no test with
    Phi^-1(1 - FPR) - Phi^-1(FNR) > mu.

G1. If the run's trade-off curve is mu-GDP, epsilon exceeds the truth with a chance of at most 1 - confidence: each
    rate's Clopper-Pearson upper bound fails with half of it.
G2. The threshold depends on no score that is counted but by its rank among the outside scores: see ``_rates``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import ndtri

from refdp.accounting.gaussian import gaussian_epsilon
from refdp.audit.estimators import estimators
from refdp.audit.estimators._answer import GAUSSIAN
from refdp.audit.estimators._one_threshold import OneThreshold
from refdp.audit.estimators._rates import Bound, Rates, upper_rate
from refdp.audit.estimators.base import Design


def bound(
    positives: np.ndarray, outside: int, negatives: np.ndarray, planted: int, delta: float, miss: float
) -> np.ndarray:
    """The bound of mu at these counts [k]; negative or -inf where nothing is shown."""
    false_positive = upper_rate(positives, outside, miss / 2)
    false_negative = upper_rate(negatives, planted, miss / 2)
    return np.asarray(-ndtri(false_positive) - ndtri(false_negative) - 1e-9)  # below, whatever was rounded


@estimators.register("gdp-threshold")
@dataclass(frozen=True)
class GdpThreshold(OneThreshold):
    """mu from upper bounds of both error rates at one threshold."""

    name: ClassVar[str] = "gdp-threshold"
    source: ClassVar[str] = "Nasr et al. 2023, arXiv 2302.07956"
    layout: ClassVar[Bound] = staticmethod(bound)
    rests_on: ClassVar[tuple[str, ...]] = (GAUSSIAN,)

    def value(self, rates: Rates, design: Design) -> float:
        """mu's bound, converted at delta."""
        mu = rates.bound(bound, design)
        return gaussian_epsilon(mu, design.delta)[0] if mu > 0 else 0.0
