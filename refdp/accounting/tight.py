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

from refdp.accounting.inversion import invert, log_moment_upper
from refdp.accounting.pairs import Kinked, Mixture, Pair
from refdp.accounting.single import Single
from refdp.accounting.solve import Enclosure, solve_epsilon
from refdp.accounting.tilt import Part, plan

EXACT = 8192  # distinct multipliers above which neighbours are grouped unless asked to be exact
BINS = 2048  # groups then


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
            a.law == b.law for a, b in zip(self.remove, self.add, strict=True)
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


def epsilon_bounds(upper: Exposure, lower: Exposure, delta: float, bins: int | None = BINS) -> Tight:
    """Enclosure of epsilon at delta; ``upper`` dominates the ledger, ``lower`` is dominated by it.

    ``bins`` bounds the number of distinct multipliers computed; None computes them all.
    """
    log_delta = math.log(delta)
    high, low = _grouped(upper, bins, upward=False), _grouped(lower, bins, upward=True)
    if high is low:
        return Tight(*_epsilon(high, log_delta))
    return Tight(_epsilon(low, log_delta)[0], _epsilon(high, log_delta)[1])


def delta_bounds(upper: Exposure, lower: Exposure, epsilon: float, bins: int | None = BINS) -> Tight:
    """Enclosure of delta at epsilon >= 0, likewise."""
    high, low = _grouped(upper, bins, upward=False), _grouped(lower, bins, upward=True)
    if high is low:
        return Tight(*_delta(high, epsilon))
    return Tight(_delta(low, epsilon)[0], _delta(high, epsilon)[1])


def _grouped(whole: Exposure, bins: int | None, *, upward: bool) -> Exposure:
    few = whole.distinct() <= (EXACT if bins == BINS else bins or math.inf)
    return whole if few else whole.binned(bins or EXACT, upward=upward)


def _solve(parts: Sequence[Part], mu_squared: float, **goal: float) -> tuple[Enclosure, float] | None:
    """Enclosure of log delta for one direction, and about where epsilon lies at most; None where unresolved."""
    if mu_squared == 0 and len(parts) == 1 and parts[0].counts.sum() == 1:
        law, sigma = parts[0].law, float(parts[0].sigmas[0])
        if isinstance(law, Kinked):  # at epsilon >= 0, its profile is this pair's
            law = Pair(law.mixture, Mixture())
        return Single(law, sigma).log_delta, 1.0 + 1 / sigma**2
    chosen = plan(list(parts), mu_squared, **goal)
    if chosen is None:
        return None
    found = invert(list(parts), mu_squared, chosen)
    return (found.log_delta, chosen.epsilon) if found else None


def _epsilon(whole: Exposure, log_delta: float) -> tuple[float | None, float | None]:
    lower, upper = _one_epsilon(whole.remove, whole.mu_squared, log_delta)
    if whole.symmetric:
        return lower, upper
    if upper is not None and _below(whole.add, whole.mu_squared, upper, log_delta):
        return lower, upper
    other_lower, other_upper = _one_epsilon(whole.add, whole.mu_squared, log_delta)
    return _larger(lower, other_lower), _both(upper, other_upper)


def _one_epsilon(
    parts: Sequence[Part], mu_squared: float, log_delta: float
) -> tuple[float | None, float | None]:
    solved = _solve(parts, mu_squared, log_delta=log_delta)
    if solved is None:
        return None, None
    return solve_epsilon(solved[0], log_delta, solved[1])


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
    low, high = solved[0](epsilon)
    return max(math.exp(low) * (1 - 1e-15) - 5e-324, 0.0), min(1.0, math.exp(high) * (1 + 1e-15) + 5e-324)


def _greatest_loss(parts: Sequence[Part], mu_squared: float) -> float:
    """Upper value of the loss: finite where P is N(0) and Q keeps weight at 0 (log 1 / rest a step)."""
    if mu_squared > 0:
        return math.inf
    total = 0.0
    for part in parts:
        if isinstance(part.law, Kinked) or part.law.p.means:
            return math.inf
        if not part.law.q.rest > 1e-300:
            return math.inf
        rest = part.law.q.rest
        loss = -math.log(rest) if rest < 0.5 else -math.log1p(-math.fsum(part.law.q.weights))
        total += float(part.counts.sum()) * loss
    return total * (1 + 1e-12)


def _below(parts: Sequence[Part], mu_squared: float, epsilon: float, log_delta: float) -> bool:
    """Whether this direction's delta at epsilon is proved to be at most delta, by Chernoff at some tilt.

    delta(epsilon) <= e^{K(c) - c epsilon} c^c / (1 + c)^{1 + c}, the greatest value of (1 - e^{-x}) e^{-c x}.
    """
    if _greatest_loss(parts, mu_squared) <= epsilon:
        return True
    chosen = plan(list(parts), mu_squared, epsilon=epsilon)
    tilts = (chosen.centre, 0.8 * chosen.centre, chosen.tilt) if chosen else (1e2, 1e4, 1e6)
    for tilt in tilts:
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
