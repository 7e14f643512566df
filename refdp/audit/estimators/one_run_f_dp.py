"""Guesses at many canaries of one run, against a Gaussian trade-off curve.

Mahloujifar, Melis, Chaudhuri 2024, "Auditing f-differential privacy in one run" (arXiv 2410.22235), with two choices
a canary and f = G_mu (Dong, Roth, Su 2019, arXiv 1905.02383). Why it holds, for r guesses of m coins, W of them right:

Let R_j = E[W; W >= j] / m and H_j = E[r - W; W >= j] / m. Flip coin i alone: what was "guess i right, at least j right
in all" is "guess i wrong, at least j - 1 right". By f-DP the chance of the first is at most (1 - f) of the second's;
1 - f is concave, so on average over i, its coin and the others R_j <= (1 - f)(H_{j-1}), that is
    H_{j-1} >= g(R_j),   g(x) = Phi(Phi^-1(x) - mu).
Let P[W >= v] >= a. The recursion puts the mass a on v, then on j = v - 1, ..., 0 just the mass p_j that these need,
    (r - j) p_j / m = g(R_{j+1}) - H_{j+1}, where positive.
Any law of W has at least as much above every j, by induction: where p_j = 0 nothing is added; else its
H_j >= g(R_{j+1}) is no less, and R_j = j / (r - j) H_j + r / (m (r - j)) sum_{l > j} P[W >= l] is no less as no
P[W >= l] is. A mass above 1 is a contradiction: then P[W >= v] < a.

G1. If the run's trade-off curve is mu-GDP, epsilon exceeds the truth with a chance of at most 1 - confidence.
G2. m counts every canary, guessed or not.
G3. How many are guessed is fixed before any score is seen, and which are guessed does not depend on the coins.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from scipy.special import ndtr, ndtri

from refdp.accounting.gaussian import gaussian_epsilon
from refdp.audit.estimators import estimators
from refdp.audit.estimators._answer import GAUSSIAN
from refdp.audit.estimators._guesses import one_run, one_run_exceeds
from refdp.audit.estimators._leak import mu_of
from refdp.audit.estimators.base import Design, Estimate, Estimator
from refdp.audit.scores import Scores


def refuted(m: int, guesses: int, right: int, mu: float, miss: float) -> bool:
    """Whether P[W >= right] < miss under mu-GDP."""
    hits, misses = miss * right / m, miss * (guesses - right) / m
    total = guesses / m * (1 + 1e-9)
    for j in range(right - 1, -1, -1):
        needed = float(ndtr(ndtri(hits) - mu))
        if needed <= misses:
            return False  # nothing is added any more
        hits += j / (guesses - j) * (needed - misses)
        misses = needed
        if hits + misses > total:
            return True
    return False


def refutes(m: int, guesses: int, right: int, epsilon: float, delta: float, miss: float) -> bool:
    """Whether so many right guesses refute the Gaussian leak of this epsilon."""
    return 2 * right > guesses and refuted(m, guesses, right, mu_of(epsilon, delta), miss)


@lru_cache(maxsize=65536)
def bound(m: int, guesses: int, right: int, delta: float, miss: float) -> float:
    """Epsilon of the largest mu, by halving, that so many right guesses refute; 0 where they refute none."""
    if 2 * right <= guesses or not refuted(m, guesses, right, 0.0, miss):
        return 0.0
    low, high = 0.0, 1.0
    while refuted(m, guesses, right, high, miss):
        low, high = high, 2 * high
    while high - low > 1e-8:
        middle = (low + high) / 2
        low, high = (middle, high) if refuted(m, guesses, right, middle, miss) else (low, middle)
    return gaussian_epsilon(low, delta)[0]


@estimators.register("one-run-f-dp")
@dataclass(frozen=True)
class OneRunFDP(Estimator):
    """Right guesses among r, of m canaries planted by fair coins, against mu-GDP."""

    name: ClassVar[str] = "one-run-f-dp"
    source: ClassVar[str] = "Mahloujifar, Melis, Chaudhuri 2024, arXiv 2410.22235"

    def estimate(self, scores: Scores, design: Design) -> Estimate:
        """The bound; references take no part."""
        return one_run(self.name, bound, scores, design, (GAUSSIAN,))

    def exceeds(self, scores: Scores, design: Design, claim: float) -> bool:
        """Whether the claim's mu is refuted; one recursion in place of halving."""
        return one_run_exceeds(bound, refutes, scores, design, claim)
