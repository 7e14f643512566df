"""Where to sum: choices in floating point. A poor choice widens a certificate, and never breaks it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from refdp.accounting.certificate.rule import Grid
from refdp.accounting.certificate.statement import Sides
from refdp.accounting.errors import AccountingError

_MAX_NODES = 400_000
_MAX_TERMS = 150_000
_SAMPLES = 1500
_HEIGHTS = 28
_NEAR = 1.03  # multipliers this close share their heights


@dataclass(frozen=True)
class Line:
    """A kind of step at one multiplier: how often, the rule of its moments, and that of its decay."""

    sides: Sides
    multiplier: float
    count: int
    grid: Grid
    decay: Grid | None = None


def moment_grid(sides: Sides, multiplier: float, tilt: float, nats: float) -> Grid:
    """A rule whose error is about e^-nats of M(c)."""
    width = float(max(sides.width_p, sides.width_q))
    shift = min(1.8, 0.45 * math.pi * multiplier / width)
    if sides.q:
        shift = min(shift, 2.5 * multiplier / (float(sides.width_q) * math.sqrt(1 + tilt)))
    spacing = 2 * math.pi * shift / (nats + 2 + _log_rise(sides, multiplier, tilt, 2 * shift))
    return _window(sides, multiplier, tilt, nats, shift, shift, spacing)


def decay_grid(sides: Sides, multiplier: float, tilt: float, height: float, nats: float) -> Grid:
    """A rule on the line of that height, likewise."""
    width = float(max(sides.width_p, sides.width_q))
    strip = min(1.2, 0.999 * math.pi / 2 * multiplier / width - height)
    if sides.q:
        strip = min(strip, 2.5 * multiplier / (float(sides.width_q) * math.sqrt(1 + tilt)))
    spacing = 2 * math.pi * strip / (nats + 2 + _log_rise(sides, multiplier, tilt, strip + height))
    return _window(
        sides, multiplier, tilt, nats + _log_rise(sides, multiplier, tilt, height), height, strip, spacing
    )


def _log_rise(sides: Sides, multiplier: float, tilt: float, height: float) -> float:
    return height * height / 2 - tilt * math.log(math.cos(height * float(sides.width_q) / (2 * multiplier)))


def _span(sides: Sides, multiplier: float, tilt: float, nats: float) -> np.ndarray:
    """Points t that cover the bulk of g, down to e^-nats of its peak."""
    reach = math.sqrt(2 * nats) + 2
    right = ((1 + tilt) * float(sides.width_p) + tilt * float(sides.width_q)) / multiplier
    count = int(min(max(6 * right, _SAMPLES), 250 * _SAMPLES))
    return np.linspace(-reach, reach + right, count)


def _log_density(
    sides: Sides, multiplier: float, tilt: float, t: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """log g (complex as t is) and Im loss."""
    pair = sides.floats()
    log_p, log_q = pair.p.log(t, multiplier), pair.q.log(t, multiplier)
    value = -0.5 * t * t + (1 + tilt) * log_p - tilt * log_q - 0.5 * math.log(2 * math.pi)
    return value, (log_p - log_q).imag


def _window(
    sides: Sides, multiplier: float, tilt: float, nats: float, shift: float, strip: float, spacing: float
) -> Grid:
    t = _span(sides, multiplier, tilt, nats)
    value = _log_density(sides, multiplier, tilt, t)[0]
    kept = np.flatnonzero(value > value.max() - nats - 4)
    mean = sides.floats().q.mean(t, multiplier)
    right = t - ((1 + tilt) * float(sides.width_p) - tilt * mean) / multiplier  # rule.py's rates, rising
    beyond = int(np.searchsorted(right, 1.0))
    low = min(t[max(kept[0] - 1, 0)], -1.0)
    high = t[min(max(kept[-1], beyond) + 1, len(t) - 1)]
    first, last = math.floor(low / spacing) - 2, math.ceil(high / spacing) + 2
    if not last - first < _MAX_NODES:
        raise AccountingError(
            f"certificate: noise multiplier {multiplier!r} at order {1 + tilt:.6g} needs too many nodes"
        )
    return Grid(shift, strip, spacing, first, last)


def log_moment(sides: Sides, multiplier: float, tilt: float) -> float:
    """log M(c), about."""
    t = _span(sides, multiplier, tilt, 60.0)
    value = _log_density(sides, multiplier, tilt, t)[0]
    top = float(value.max())
    return top + math.log(float(np.exp(value - top).sum()) * (t[1] - t[0]))


class Decays:
    """About log |M(c + iY)| of every line, at most, and a good height for each: of a few multipliers, for all."""

    def __init__(self, kinds: Sequence[tuple[Sides, float, int]], tilt: float) -> None:
        self.owner: list[int] = []
        self.counts: list[int] = []
        self.tables: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        before: tuple[Sides, float] | None = None
        for sides, multiplier, count in kinds:
            if before is None or sides != before[0] or not before[1] <= multiplier <= before[1] * _NEAR:
                before = sides, multiplier
                self.tables.append(_heights(sides, multiplier, tilt))
                self.counts.append(0)
            self.counts[-1] += count
            self.owner.append(len(self.tables) - 1)

    def best(self, frequency: float) -> tuple[float, list[float]]:
        """(log of the product of the bounds, relative to M(c); the height of each line)."""
        total, chosen = 0.0, []
        for count, (heights, sizes, turns) in zip(self.counts, self.tables, strict=True):
            sums = (sizes * np.exp(-frequency * turns)).sum(axis=1)
            place = int(np.argmin(sums))
            total += count * math.log(max(min(float(sums[place]), 1.0), 1e-300))
            chosen.append(float(heights[place]))
        return total, [chosen[place] for place in self.owner]


def _heights(sides: Sides, multiplier: float, tilt: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Heights b, and |g| / M(c) and Im loss at points of each line Im t = b."""
    t = _span(sides, multiplier, tilt, 30.0)
    base = _log_density(sides, multiplier, tilt, t)[0]
    t = t[base > base.max() - 30]
    t = t if len(t) > 400 else np.linspace(t[0], t[-1], 400)
    base = _log_density(sides, multiplier, tilt, t)[0]
    most = 0.4 * math.pi * multiplier / float(max(sides.width_p, sides.width_q))
    if sides.q:  # beyond this the bound of what the line gains, R(b), is far above what it really does
        most = min(most, 4 * multiplier / (float(sides.width_q) * math.sqrt(1 + tilt)))
    heights = min(most, 1.5) * np.geomspace(1e-5, 1, _HEIGHTS)
    value, turn = _log_density(sides, multiplier, tilt, t + 1j * heights[:, None])
    return heights, np.exp(value.real - base.max()) / np.exp(base - base.max()).sum(), turn


def terms(decays: Decays, mu_squared: float, step: float, goal: float, most: int) -> tuple[int, list[float]]:
    """(N, heights): the least N with a truncation below e^goal, relative to e^{K(c) - c s}, or the most allowed."""

    def excess(count: int) -> float:
        y = count * step
        return decays.best(y)[0] - 0.5 * mu_squared * y * y - math.log(math.pi * y / (1 + 1 / count)) - goal

    low, high, most = 4, 8, max(8, min(most, _MAX_TERMS))
    while high < most and excess(high) > 0:
        low, high = high, min(2 * high, most)
    while high - low > max(1, low // 50):
        middle = (low + high) // 2
        low, high = (low, middle) if excess(middle) <= 0 else (middle, high)
    return high, decays.best(high * step)[1]


def grouped(
    values: Sequence[float], counts: Sequence[int], most: int, *, upward: bool
) -> list[tuple[float, int]]:
    """At most so many multipliers: each moved to the least of its group, or to the greatest."""
    if len(values) <= most:
        return list(zip(values, counts, strict=True))
    span = math.log(values[-1] / values[0])
    groups: dict[int, list[int]] = {}
    for index, value in enumerate(values):
        place = min(int(math.log(value / values[0]) / span * most), most - 1)
        groups.setdefault(place, []).append(index)
    found = []
    for members in groups.values():
        chosen = [values[i] for i in members]
        found.append((max(chosen) if upward else min(chosen), sum(counts[i] for i in members)))
    return found
