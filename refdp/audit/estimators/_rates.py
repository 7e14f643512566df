"""False positive and false negative rates at one threshold, and where to put it.

The threshold is the j-th highest outside score. The rank j is laid out before these scores are seen, for a Gaussian
leak of the size expected; where none is expected, its size is guessed from a tenth of the scores, which are then not
counted: a tenth drawn by lot, from the seed and the order of all scores, whatever the input is sorted by. With n
scores outside, the chance that another is higher is at most Beta(j, n - j + 1) in distribution (equal to it where
scores have no atoms): the same upper bound as Clopper-Pearson's with j - 1 false positives out of n at a threshold
fixed beforehand. Given the threshold, planted scores at or below it are binomial. So every score is counted in full,
and nothing was chosen by what is counted.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import betainccinv, ndtr, ndtri

from refdp.audit.estimators._leak import mu_of
from refdp.audit.estimators._order import untied
from refdp.audit.estimators.base import Design
from refdp.audit.scores import Scores

HELD_OUT = 0.1
# (false positives [k], of so many, false negatives [k], of so many, delta, miss) -> bounds [k], -inf for none
Bound = Callable[[np.ndarray, int, np.ndarray, int, float, float], np.ndarray]


@dataclass(frozen=True)
class Rates:
    """What was counted: ``positives`` of ``outside`` above the threshold, ``negatives`` of ``planted`` not above."""

    positives: int
    outside: int
    negatives: int
    planted: int

    def bound(self, bound: Bound, design: Design) -> float:
        """A bound at these counts."""
        positives, negatives = np.array([float(self.positives)]), np.array([float(self.negatives)])
        return float(bound(positives, self.outside, negatives, self.planted, design.delta, design.miss)[0])

    def ceiling(self) -> Rates:
        """The same had every planted canary been above the threshold."""
        return Rates(self.positives, self.outside, 0, self.planted)


def upper_rate(count: np.ndarray, trials: int, miss: float) -> np.ndarray:
    """Clopper-Pearson upper bound of a rate: above the true rate but for a chance of at most ``miss``."""
    inner = betainccinv(count + 1, np.maximum(trials - count, 1e-9), miss) * (1 + 1e-12)
    return np.where(count >= trials, 1.0, np.minimum(inner, 1.0))


@lru_cache(maxsize=4096)
def lay_out(bound: Bound, planted: int, outside: int, mu: float, delta: float, miss: float) -> int:
    """The rank j in 1 ... outside whose bound is best where a Gaussian leak of that mu shows its average.

    Where that shows nothing at any rank, the weakest stronger leak that does is laid out for.
    """
    ranks = np.unique(np.round(np.geomspace(1, outside, 400)).astype(np.int64))
    level = ranks / (outside + 1)
    ceilings = bound(ranks - 1.0, outside, np.zeros(len(ranks)), planted, delta, miss)
    while True:
        negatives = planted * ndtr(-ndtri(level) - mu)
        values = bound(ranks - 1.0, outside, negatives, planted, delta, miss)
        values = np.where(ceilings > 0, values, -np.inf)
        if np.max(values) > 0 or mu > 32:
            return int(ranks[np.argmax(values)])
        mu *= 1.25


def count(scores: Scores, design: Design, bound: Bound) -> Rates:
    """Count at the threshold laid out; both classes must hold scores."""
    scores = untied(scores, design.seed)
    planted, outside = scores.planted, scores.outside
    mu = _leak_beforehand(len(planted), len(outside), design)
    if mu is None:
        planted, outside = (
            np.sort(planted),
            np.sort(outside),
        )  # the order of the input, maybe by score, must not matter
        rng = np.random.default_rng([design.seed, 1, zlib.crc32(planted.tobytes()), len(outside)])
        (seen_in, planted), (seen_out, outside) = _split(planted, rng), _split(outside, rng)
        wins = np.searchsorted(np.sort(seen_out), seen_in).mean() / len(seen_out)
        mu = _leak_guessed(float(wins), len(seen_in) * len(seen_out))
    rank = lay_out(bound, len(planted), len(outside), mu, design.delta, design.miss)
    threshold = np.partition(outside, len(outside) - rank)[len(outside) - rank]
    return Rates(rank - 1, len(outside), int((planted <= threshold).sum()), len(planted))


def told_right(planted: int, outside: int, design: Design, bound: Bound) -> Rates:
    """What ``count`` gives where each of so many planted scores is above all of so many outside."""
    mu = _leak_beforehand(planted, outside, design)
    if mu is None:
        seen_in, seen_out = int(planted * HELD_OUT), int(outside * HELD_OUT)
        planted, outside, mu = planted - seen_in, outside - seen_out, _leak_guessed(1.0, seen_in * seen_out)
    return Rates(lay_out(bound, planted, outside, mu, design.delta, design.miss) - 1, outside, 0, planted)


def _leak_beforehand(planted: int, outside: int, design: Design) -> float | None:
    """mu where it is not to be guessed from held-out scores; None where it is."""
    if design.expected_epsilon is not None:
        return max(mu_of(design.expected_epsilon, design.delta), 0.05)
    return 2.0 if min(planted, outside) < 2 / HELD_OUT else None  # too few to hold any out


def _leak_guessed(wins: float, pairs: int) -> float:
    """mu at which planted scores win this share of so many pairs, to one digit."""
    return max(round(float(np.sqrt(2) * ndtri(np.clip(wins, 0.5 / pairs, 1 - 0.5 / pairs))), 1), 0.1)


def _split(values: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A random tenth, and the rest."""
    values = rng.permutation(values)
    cut = int(len(values) * HELD_OUT)
    return values[:cut], values[cut:]
