"""The tight enclosure of a composition in both directions: which to compute, and what is known without computing.

``Exposure`` is a composition with its two directions (record present, record absent); the epsilon of a ledger is the
larger of the two. The second is computed only where a Chernoff bound (or the greatest loss it can pay) does not
already put it below the first.

G1. Lower and upper ends hold for the larger of the two directions; None where no bound was resolved.
G2. Work is bounded: nodes x terms, and the number of terms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from refdp.accounting.inversion import Inversion, invert, log_moment_upper
from refdp.accounting.tilt import Part, plan

_BINS = 768  # distinct multipliers, of all parts, above which neighbours are grouped unless asked to be exact


@dataclass(frozen=True)
class Exposure:
    """A composition: the parts of either direction, and the exact Gaussian part they share."""

    remove: tuple[Part, ...]
    add: tuple[Part, ...]
    mu_squared: float

    @property
    def symmetric(self) -> bool:
        """Whether both directions are one."""
        return len(self.remove) == len(self.add) and all(
            a.pair == b.pair for a, b in zip(self.remove, self.add, strict=True)
        )

    def binned(self, bins: int, *, upward: bool) -> Exposure:
        """Fewer multipliers: rounded down for an upper bound, up for a lower one."""
        share = max(1, bins // max(len(self.remove), 1))
        return Exposure(
            tuple(part.binned(share, upward=upward) for part in self.remove),
            tuple(part.binned(share, upward=upward) for part in self.add),
            self.mu_squared,
        )

    def distinct(self) -> int:
        """Number of distinct noise multipliers."""
        return sum(len(part.sigmas) for part in self.remove)


@dataclass(frozen=True)
class Tight:
    """An enclosure; either end may be unknown."""

    lower: float | None
    upper: float | None


def epsilon_bounds(upper: Exposure, lower: Exposure, delta: float, bins: int | None = _BINS) -> Tight:
    """Enclosure of epsilon at delta; ``upper`` dominates the ledger, ``lower`` is dominated by it.

    ``bins`` bounds the number of distinct multipliers computed; None computes them all.
    """
    log_delta = math.log(delta)
    if upper is lower and (bins is None or upper.distinct() <= bins):
        return Tight(*_epsilon(upper, log_delta))
    high, low = (e if bins is None else e.binned(bins, upward=up) for e, up in ((upper, False), (lower, True)))
    return Tight(_epsilon(low, log_delta)[0], _epsilon(high, log_delta)[1])


def delta_bounds(upper: Exposure, lower: Exposure, epsilon: float, bins: int | None = _BINS) -> Tight:
    """Enclosure of delta at epsilon >= 0, likewise."""
    if upper is lower and (bins is None or upper.distinct() <= bins):
        return Tight(*_delta(upper, epsilon))
    high, low = (e if bins is None else e.binned(bins, upward=up) for e, up in ((upper, False), (lower, True)))
    return Tight(_delta(low, epsilon)[0], _delta(high, epsilon)[1])


def _solve(parts: Sequence[Part], mu_squared: float, **goal: float) -> tuple[Inversion, float] | None:
    chosen = plan(list(parts), mu_squared, **goal)
    found = invert(list(parts), mu_squared, chosen) if chosen else None
    return (found, chosen.epsilon) if found and chosen else None


def _epsilon(whole: Exposure, log_delta: float) -> tuple[float | None, float | None]:
    lower, upper = _one_epsilon(whole.remove, whole.mu_squared, log_delta)
    if whole.symmetric:
        return lower, upper
    if upper is not None and _below(whole.add, whole.mu_squared, upper, log_delta):
        return lower, upper
    other_lower, other_upper = _one_epsilon(whole.add, whole.mu_squared, log_delta)
    return _larger(lower, other_lower), _both(upper, other_upper)


def _one_epsilon(parts: Sequence[Part], mu_squared: float, log_delta: float) -> tuple[float | None, float | None]:
    solved = _solve(parts, mu_squared, log_delta=log_delta)
    if solved is None:
        return None, None
    return solved[0].epsilon(log_delta, solved[1])


def _delta(whole: Exposure, epsilon: float) -> tuple[float | None, float | None]:
    lower, upper = _one_delta(whole.remove, whole.mu_squared, epsilon)
    if whole.symmetric:
        return lower, upper
    if lower is not None and lower > 0 and _below(whole.add, whole.mu_squared, epsilon, math.log(lower)):
        return lower, upper
    other_lower, other_upper = _one_delta(whole.add, whole.mu_squared, epsilon)
    return _larger(lower, other_lower), _both(upper, other_upper)


def _one_delta(parts: Sequence[Part], mu_squared: float, epsilon: float) -> tuple[float | None, float | None]:
    if _greatest_loss(parts, mu_squared) <= epsilon:
        return 0.0, 0.0
    solved = _solve(parts, mu_squared, epsilon=epsilon)
    if solved is None:
        return None, None
    low, high = solved[0].log_delta(epsilon)
    return math.exp(low) * (1 - 1e-15), min(1.0, math.exp(high) * (1 + 1e-15) + 5e-324)


def _greatest_loss(parts: Sequence[Part], mu_squared: float) -> float:
    """Upper value of the loss: finite where P is N(0) and Q keeps weight at 0 (log 1 / rest a step)."""
    if mu_squared > 0:
        return math.inf
    total = 0.0
    for part in parts:
        rest = 1 - math.fsum(part.pair.q.weights)
        if part.pair.p.means or not rest > 1e-9:
            return math.inf
        total += float(part.counts.sum()) * -math.log1p(-math.fsum(part.pair.q.weights))
    return total * (1 + 1e-12)


def _below(parts: Sequence[Part], mu_squared: float, epsilon: float, log_delta: float) -> bool:
    """Whether this direction's delta at epsilon is proved to be at most delta, by Chernoff at some tilt.

    delta(epsilon) <= e^{K(c) - c epsilon} c^c / (1 + c)^{1 + c}, the greatest value of (1 - e^{-x}) e^{-c x}.
    """
    if _greatest_loss(parts, mu_squared) <= epsilon:
        return True
    chosen = plan(list(parts), mu_squared, epsilon=epsilon)
    if chosen is None:
        return False
    for tilt in (chosen.centre, 0.8 * chosen.centre, chosen.tilt):
        shape = tilt * math.log(tilt) - (1 + tilt) * math.log1p(tilt)
        slack = 1e-12 * (4 + abs(shape) + abs(tilt * epsilon))
        if log_moment_upper(parts, mu_squared, tilt) - tilt * epsilon + shape + slack <= log_delta:
            return True
    return False


def _larger(a: float | None, b: float | None) -> float | None:
    known = [x for x in (a, b) if x is not None]
    return max(known) if known else None


def _both(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else max(a, b)
