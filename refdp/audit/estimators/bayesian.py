"""A credible bound from the joint posterior of both error rates.

Zanella-Beguelin et al. 2023, "Bayesian estimation of differential privacy" (arXiv 2206.05199), Section 4: with
Jeffreys' prior Beta(1/2, 1/2) on each, x errors of n leave Beta(x + 1/2, n - x + 1/2), and
    epsilon(FPR, FNR) = max(log((1 - delta - FNR) / FPR), log((1 - delta - FPR) / FNR), 0)
has a posterior, whose (1 - confidence) quantile is the bound. Its distribution function is
    P(epsilon <= e) = E over FPR of P(FNR >= max(1 - delta - e^e FPR, (1 - delta - FPR) e^-e)),
an integral over the quantiles of FPR of what grows with them: the sum over right ends is above it. The last cell, whose
right end is 1, is halved again and again, lest it alone outweigh a small chance to miss.

G1. The bound is at most the posterior's quantile: credible, given the prior. How often it holds in repetitions is not
    promised, though close to the confidence where errors are not too few.
G2. The threshold depends on no score that is counted but by its rank among the outside scores: see ``_rates``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from scipy.special import betaincc, betainccinv, betaincinv

from refdp.audit.estimators import clopper_pearson, estimators
from refdp.audit.estimators._one_threshold import OneThreshold
from refdp.audit.estimators._rates import Bound, Rates
from refdp.audit.estimators.base import Design

CELLS, HALVES = 2048, 40


@estimators.register("bayesian")
@dataclass(frozen=True)
class Bayesian(OneThreshold):
    """A quantile of epsilon's posterior."""

    name: ClassVar[str] = "bayesian"
    source: ClassVar[str] = "Zanella-Beguelin et al. 2023, arXiv 2206.05199"
    layout: ClassVar[Bound] = staticmethod(clopper_pearson.bound)
    rests_on: ClassVar[tuple[str, ...]] = (
        "a credible bound under Jeffreys' prior on both error rates, not a confidence bound",
    )

    def value(self, rates: Rates, design: Design) -> float:
        """The largest epsilon, by halving, that the posterior is below with a chance of at most 1 - confidence."""
        return _quantile(rates, design.delta, design.miss)

    def above(self, claim: float, rates: Rates, design: Design) -> bool:
        """Whether the posterior is below the claim with a chance of at most 1 - confidence."""
        return below(claim, rates, design.delta) <= design.miss


def below(epsilon: float, rates: Rates, delta: float) -> float:
    """The posterior chance that epsilon is at most this, rounded up."""
    errors, weights = _right_ends(rates.positives, rates.outside)
    least = np.maximum(1 - delta - math.exp(epsilon) * errors, (1 - delta - errors) * math.exp(-epsilon))
    shape = rates.negatives + 0.5, rates.planted - rates.negatives + 0.5
    return float(weights @ betaincc(*shape, np.clip(least, 0, 1))) * (1 + 1e-12) + 1e-15


@lru_cache(maxsize=4096)
def _quantile(rates: Rates, delta: float, miss: float) -> float:
    if below(0.0, rates, delta) > miss:
        return 0.0
    low, high = 0.0, 1.0
    while below(high, rates, delta) <= miss:
        low, high = high, 2 * high
    while high - low > 1e-6:
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle, rates, delta) <= miss else (low, middle)
    return low


@lru_cache(maxsize=256)
def _right_ends(positives: int, outside: int) -> tuple[np.ndarray, np.ndarray]:
    """Posterior quantiles of FPR at the right ends of cells of its distribution function, and the cells' chances."""
    shape = positives + 0.5, outside - positives + 0.5
    left = 0.5 ** np.arange(1, HALVES + 1) / CELLS  # of the last cell: what lies behind the ends in it
    ends = betaincinv(*shape, np.arange(1, CELLS) / CELLS)
    weights = np.concatenate([np.full(CELLS - 1, 1 / CELLS), left, left[-1:]])
    return np.concatenate([ends, betainccinv(*shape, left), [1.0]]), weights
