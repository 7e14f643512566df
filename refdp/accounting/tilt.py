"""Where to put the contour: the saddle of a composition, a tilt near it, and the window of the sum.

Nothing here is a bound: a poor choice widens the enclosure of inversion.py, and never breaks it.

delta(s) = (1/2 pi) integral of e^{K(z) - s z} / (z (z + 1)) dy,  K = sum n log M, is best summed where the integrand
on the real axis is least, near the best order of Renyi DP (the saddle point accountant: Alghamdi et al. 2023, arXiv
2208.09595), but below it: beyond it K may rise steeply, and then the terms alias over a wide window.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from refdp.accounting.bins import regrouped
from refdp.accounting.laws import Law, blocks, tilted

_SLACK = 26.0  # aliases are kept below e^-26 of delta
_TILTS = (0.1, 0.14, 0.2, 0.28, 0.35, 0.42, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 8.0)
_COARSE = 16  # noise multipliers looked at, of each pair


@dataclass(frozen=True)
class Part:
    """One law (a pair of mixtures, oriented, or a kinked one) at M ascending multipliers, composed counts times."""

    law: Law
    sigmas: np.ndarray
    counts: np.ndarray

    def binned(self, bins: int, *, upward: bool = False) -> Part:
        """At most so many multipliers, each moved to the least (or the greatest) of its group.

        Less noise dominates more noise (post-processing), so moving down is an upper bound, up a lower one.
        """
        return Part(self.law, *regrouped(self.sigmas, self.counts, bins, "up" if upward else "down"))


@dataclass(frozen=True)
class Cumulants:
    """K, K', K'' of a composition at a tilt, to plotting accuracy."""

    value: float
    slope: float
    curvature: float


def cumulants(parts: list[Part], mu_squared: float, tilt: float) -> Cumulants:
    """Of the privacy loss under P, each pair by a coarse real trapezoidal rule."""
    value = mu_squared * tilt * (tilt + 1) / 2
    slope, curvature = mu_squared * (tilt + 0.5), mu_squared
    for part in parts:
        for block in blocks(part.law, part.sigmas, tilt):
            sigmas, counts = part.sigmas[block], part.counts[block]
            logs, losses, rest = tilted(part.law, sigmas, tilt)
            top = np.maximum(logs.max(axis=1), rest)
            g = np.exp(logs - top[:, None])
            total = g.sum(axis=1) + np.exp(rest - top)
            mean = (g * losses).sum(axis=1) / total
            square = (g * losses**2).sum(axis=1) / total
            value += float(counts @ (top + np.log(total)))
            slope += float(counts @ mean)
            curvature += float(counts @ np.maximum(square - mean**2, 0.0))
    return Cumulants(value, slope, curvature)


@dataclass(frozen=True)
class Plan:
    """tilt c; window W; guard: the second tilt, of the right alias; centre: the best order of Renyi DP, less 1;
    epsilon: at least about where delta is asked."""

    centre: float
    tilt: float
    window: float
    guard: float
    epsilon: float


def plan(
    whole: list[Part], mu_squared: float, *, log_delta: float | None = None, epsilon: float | None = None
) -> Plan | None:
    """Plan for the epsilon at a delta, or for the delta at an epsilon; None where no tilt is found."""
    parts = [part.binned(_COARSE) for part in whole]
    seen: dict[float, Cumulants] = {}

    def at(tilt: float) -> Cumulants:
        if tilt not in seen:
            seen[tilt] = cumulants(parts, mu_squared, tilt)
        return seen[tilt]

    def log_chernoff(tilt: float) -> float:
        """log delta + tilt epsilon of the Chernoff bound, less K."""
        return tilt * math.log(tilt) - (1 + tilt) * math.log1p(tilt) if tilt < 1e8 else -1 - math.log(tilt)

    if epsilon is not None:
        goal = epsilon
        centre = _minimum(lambda c: at(c).value - c * goal + log_chernoff(c))
    else:
        assert log_delta is not None
        target = log_delta
        centre = _minimum(lambda c: (at(c).value + log_chernoff(c) - target) / c)
    if centre is None:
        return None
    k = at(centre)
    if epsilon is not None:
        s = limit = epsilon
        reference = min(k.value - centre * epsilon + log_chernoff(centre), 0.0)
    else:
        limit = max((k.value + log_chernoff(centre) - target) / centre, 0.0)
        s, reference = min(max(k.slope - 1 / centre - 1 / (centre + 1), 0.0), limit), target
    repeats = mu_squared + sum(float(part.counts.sum()) for part in parts)
    tilts = [share * centre for share in _TILTS]
    best: tuple[float, Plan] | None = None
    for place, tilt in enumerate(tilts):
        amplified = at(tilt).value - tilt * s - math.log(tilt) - math.log1p(tilt) - reference
        if not amplified < 30:
            continue
        noise = math.exp(amplified) * (1e-13 + 1e-14 * repeats)  # rounding, over delta
        left = (max(-reference, 0.0) + _SLACK) / tilt
        for guard in tilts[place + 1 :]:
            right = (at(guard).value - guard * s - reference + _SLACK) / (guard - tilt)
            window = max(left, right)
            cost = window * (1 + noise * 1e9)
            if math.isfinite(window) and (best is None or cost < best[0]):
                best = (cost, Plan(centre, tilt, window, guard, limit))
    return best[1] if best else None


def _minimum(cost: Callable[[float], float]) -> float | None:
    """Where cost(tilt) is least, to about 3 %, or None where it only falls."""
    ratio, low, middle = 4.0, 0.25, 1.0
    value = cost(middle)
    if cost(low) < value:
        ratio, low = 0.25, middle * 4
    while True:  # walk downhill until it rises again
        following = middle * ratio
        if not 1e-12 < following < 1e10:
            return None
        higher = cost(following)
        if not higher < value:
            break
        low, middle, value = middle, following, higher
    left, right = sorted((math.log(low), math.log(following)))
    best = math.log(middle)
    while right - left > 0.1:
        probe = 0.5 * (left + best) if best - left > right - best else 0.5 * (best + right)
        found = cost(math.exp(probe))
        if found < value:
            left, right, best, value = (
                (best, right, probe, found) if probe > best else (left, best, probe, found)
            )
        elif probe > best:
            right = probe
        else:
            left = probe
    return math.exp(best)
