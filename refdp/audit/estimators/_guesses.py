"""Guesses for the one-run estimators: how many, and how many are right.

The k highest scores are guessed planted, the k lowest left out; the r = 2 k guesses are a function of the scores alone.
k is laid out before any score is seen, for a Gaussian leak of the size expected and for three times that, which is
what refutes a claim of that size; a last tenth of the chance to miss goes to guessing at every canary, which shows
most where far more leaks. Where nothing is expected, a few k's share the chance equally. The best of their bounds is
taken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import ndtr

from refdp.audit.estimators._answer import COINS, MOST, refuse, too_few
from refdp.audit.estimators._leak import mu_of
from refdp.audit.estimators._order import untied
from refdp.audit.estimators.base import Design, Estimate
from refdp.audit.scores import Scores

SHARES = (1, 4, 16)  # m / r, where no leak is expected
LAYOUTS, LAST = ((1, 0.5), (3, 0.4)), 0.1
"""(multiple of the expected leak, share of the chance to miss), and the share of guessing at every canary."""
Bound = Callable[
    [int, int, int, float, float], float
]  # (m, guesses, right, delta, miss) -> epsilon, 0 for nothing
Refutes = Callable[[int, int, int, float, float, float], bool]  # (m, guesses, right, epsilon, delta, miss)


@dataclass(frozen=True)
class Plan:
    """What was laid out: (k, its chance to miss), which add up to the design's at most."""

    tries: tuple[tuple[int, float], ...]

    def best(self, bound: Bound, m: int, delta: float, right: Callable[[int], int]) -> tuple[float, int]:
        """The best bound and its k, given how many guesses are right at each k."""
        return max((bound(m, 2 * k, right(k), delta, miss), k) for k, miss in self.tries)


def right(scores: Scores, k: int) -> int:
    """How many of the 2 k guesses are right; no two scores may be equal."""
    pooled = np.concatenate([scores.planted, scores.left_out])
    order = np.argsort(pooled)
    planted = order < len(scores.planted)
    return int(planted[len(order) - k :].sum() + (~planted[:k]).sum())


@lru_cache(maxsize=4096)
def plan(bound: Bound, m: int, design: Design) -> Plan:
    """Lay out the numbers of guesses for m >= 2 canaries."""
    if design.expected_epsilon is None:
        sides = tuple(dict.fromkeys(max(m // (2 * share), 1) for share in SHARES))
        return Plan(tuple((k, design.miss / len(sides)) for k in sides))
    candidates = np.unique(np.round(np.geomspace(1, m // 2, 40)).astype(np.int64))
    tries = [(m // 2, LAST * design.miss)]
    for multiple, share in LAYOUTS:
        mu, miss = max(mu_of(multiple * design.expected_epsilon, design.delta), 0.05), share * design.miss
        values = [bound(m, 2 * int(k), _expected(m, int(k), mu), design.delta, miss) for k in candidates]
        if max(values) > 0:
            tries.append((int(candidates[np.argmax(values)]), miss))
    return Plan(_merged(tries, design.miss))


def _merged(tries: list[tuple[int, float]], miss: float) -> tuple[tuple[int, float], ...]:
    """Shares of the same k added up, and all of them together made the whole chance."""
    total = sum(share for _, share in tries)
    sides = dict.fromkeys(k for k, _ in tries)
    return tuple((k, miss * sum(share for other, share in tries if other == k) / total) for k in sides)


def _expected(m: int, k: int, mu: float) -> int:
    """Right guesses where half of m are N(mu, 1) and half N(0, 1): the k-th highest stands near t."""
    low, high = mu / 2, mu + 40.0
    for _ in range(60):
        t = (low + high) / 2
        low, high = (low, t) if (ndtr(mu - t) + ndtr(-t)) / 2 < k / m else (t, high)
    return round(2 * k * float(ndtr(mu - low) / (ndtr(mu - low) + ndtr(-low))))


def one_run(name: str, bound: Bound, scores: Scores, design: Design, assumes: tuple[str, ...]) -> Estimate:
    """The estimate, given the bound from counts."""
    m = scores.canaries
    if not scores.fair_coins:
        return refuse(name, COINS)

    def most(m: int) -> float:
        if m < 2:
            return 0.0
        return plan(bound, m, design).best(bound, m, design.delta, lambda k: 2 * k)[0]

    if _delta_too_large(m, design):
        reason = (
            f"2 m delta = {2 * m * design.delta:.3g} with m = {m} canaries: must not exceed 1; lower delta"
        )
        return refuse(name, reason)
    ceiling = most(m)
    if ceiling <= 0:
        allowed = MOST if design.delta * 2 * m * MOST <= 1 else int(1 / (2 * m * design.delta))
        return refuse(name, too_few(lambda times: most(times * m), design.confidence, allowed))
    places = untied(Scores(scores.planted, scores.left_out), design.seed)
    laid = plan(bound, m, design)
    value, k = laid.best(bound, m, design.delta, lambda k: right(places, k))
    details = {"canaries": m, "guesses": 2 * k, "right": right(places, k), "numbers_tried": len(laid.tries)}
    return Estimate(name, value, ceiling, assumes=assumes, details=details)


def one_run_exceeds(bound: Bound, refutes: Refutes, scores: Scores, design: Design, claim: float) -> bool:
    """Whether the bound is above the claim: whether one of the k's refutes it."""
    m = scores.canaries
    if not scores.fair_coins or m < 2 or _delta_too_large(m, design):
        return False
    places = untied(Scores(scores.planted, scores.left_out), design.seed)
    tries = plan(bound, m, design).tries
    return any(refutes(m, 2 * k, right(places, k), claim, design.delta, miss) for k, miss in tries)


def _delta_too_large(m: int, design: Design) -> bool:
    return 2 * m * design.delta > 1
