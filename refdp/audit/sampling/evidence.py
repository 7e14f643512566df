"""E-values: evidence that keeps its meaning at finite samples.

An e-value is a statistic that is never negative and whose mean is at most 1 where the claim is true. By Markov it then
reaches 1 / level with probability at most level, whatever the sample size, and the mean of e-values is one (Ramdas,
Gruenwald, Vovk, Shafer 2023, arXiv 2210.01948). A product over steps is one, too, where each factor's mean given the
past is at most 1: the capital of a gambler at fair odds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from scipy.special import logsumexp


@dataclass(frozen=True, eq=False)
class Evidence:
    """What one statistic says against a claim.

    Attributes:
        name: of the statistic.
        bets: log e-values of its alternatives, by name; the mean of their exponentials is its e-value.
    """

    name: str
    bets: dict[str, float] = field(default_factory=dict)

    @property
    def log_e(self) -> float:
        """Logarithm of the mean; 0 where nothing was bet on."""
        return log_mean(list(self.bets.values())) if self.bets else 0.0

    def part(self, side: str) -> float:
        """Logarithm of what bets whose name starts like this add to the mean; -inf where none does."""
        chosen = [value for name, value in self.bets.items() if name.startswith(side)]
        return log_mean(chosen) + math.log(len(chosen) / len(self.bets)) if chosen else -math.inf

    @property
    def best(self) -> str:
        """Name of the bet that won most."""
        return max(self.bets, key=lambda name: self.bets[name])


def log_mean(values: list[float] | np.ndarray) -> float:
    """Logarithm of the mean of exponentials."""
    array = np.asarray(values, dtype=float)
    if np.isposinf(array).any():
        return math.inf
    return float(logsumexp(array)) - math.log(len(array))


def tilted(tilt: float, hits: float, log_mgf: float) -> float:
    """log of exp(tilt * hits) / its greatest mean."""
    return tilt * hits - log_mgf


def binomial_log_mgf(tilt: float, draws: np.ndarray, share: np.ndarray) -> np.ndarray:
    """log E exp(tilt X), X binomial of ``draws`` trials at ``share``: at least that of the hypergeometric law with the
    same draws and share of marked records (Hoeffding 1963, theorem 4: sampling without replacement is below sampling
    with replacement in convex order)."""
    growth: np.ndarray = draws * np.log1p(share * math.expm1(tilt))
    return growth
