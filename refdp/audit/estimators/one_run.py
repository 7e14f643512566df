"""Guesses at many canaries of one run.

Steinke, Nasr, Jagielski 2023, "Privacy auditing with one (1) training run" (arXiv 2305.08846), Theorem 5.2: m canaries,
each planted by a fair coin; a guesser that sees the outcome guesses r of the coins. If training is (epsilon, delta)-DP,
    P[right >= v] <= beta + 2 m delta alpha,   beta = P[B >= v],   alpha = max over i in 1..v of P[v - i <= B < v] / i,
with B ~ Binomial(r, e^epsilon / (1 + e^epsilon)). Each i's term (1 - c/i) P[B >= v] + (c/i) P[B >= v - i], c = 2 m
delta, grows with epsilon where c <= 1; that is required, so that halving finds the bound.

G1. epsilon exceeds the truth with a chance of at most 1 - confidence, over the coins and the training.
G2. m counts every canary, guessed or not.
G3. How many are guessed is fixed before any score is seen, and which are guessed does not depend on the coins.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from scipy.special import betainc, expit

from refdp.audit.estimators import estimators
from refdp.audit.estimators._guesses import one_run, one_run_exceeds
from refdp.audit.estimators.base import Design, Estimate, Estimator
from refdp.audit.scores import Scores

LOOKS = (128, 1024)  # i's tried before all of them are


def p_value(m: int, guesses: int, right: int, epsilon: float, delta: float) -> float:
    """The chance, at most, of so many right guesses under (epsilon, delta)-DP."""
    rate = expit(epsilon)

    def tail(least: np.ndarray) -> np.ndarray:
        """P[B >= least] for 0 <= least <= guesses."""
        return np.where(least > 0, betainc(np.maximum(least, 1), guesses - least + 1, rate), 1.0)

    beta = float(tail(np.array(right)))
    alpha = 0.0
    for last in (*(look for look in LOOKS if look < right), right):
        steps = np.arange(1, last + 1)
        alpha = float(np.max((tail(right - steps) - beta) / steps, initial=0.0))
        if alpha * (last + 1) >= 1:
            break  # no later i can give more than 1 / i
    return min(beta + 2 * m * delta * alpha, 1.0)


def refutes(m: int, guesses: int, right: int, epsilon: float, delta: float, miss: float) -> bool:
    """Whether so many right guesses refute (epsilon, delta)-DP."""
    return 2 * right > guesses and p_value(m, guesses, right, epsilon, delta) * (1 + 1e-9) <= miss


@lru_cache(maxsize=65536)
def bound(m: int, guesses: int, right: int, delta: float, miss: float) -> float:
    """The largest epsilon, by halving, that so many right guesses refute; 0 where they refute none."""

    def refuted(epsilon: float) -> bool:
        return refutes(m, guesses, right, epsilon, delta, miss)

    if not refuted(0.0):
        return 0.0
    low, high = 0.0, 1.0
    while refuted(high):
        low, high = high, 2 * high
    while high - low > 1e-7:
        middle = (low + high) / 2
        low, high = (middle, high) if refuted(middle) else (low, middle)
    return low


@estimators.register("one-run")
@dataclass(frozen=True)
class OneRun(Estimator):
    """Right guesses among r, of m canaries planted by fair coins."""

    name: ClassVar[str] = "one-run"
    source: ClassVar[str] = "Steinke, Nasr, Jagielski 2023, arXiv 2305.08846"

    def estimate(self, scores: Scores, design: Design) -> Estimate:
        """The bound; references take no part."""
        return one_run(self.name, bound, scores, design, ())

    def exceeds(self, scores: Scores, design: Design, claim: float) -> bool:
        """Whether the claim is refuted; one p-value in place of halving."""
        return one_run_exceeds(bound, refutes, scores, design, claim)
