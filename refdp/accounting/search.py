"""The safe end of a falling bound, in few evaluations of it.

Newton and secant steps in log-log, kept inside the bracket and bisected where they stall. Only points that were
evaluated are ever returned.

G1. ``least`` and ``greatest_whole`` return a point whose evaluated bound keeps the target, or None.
G2. At most BUDGET evaluations. A bound that falls smoothly is followed to the tolerance asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

BUDGET = 90
_NEAR = 0.05  # in log x: points this close give a slope that may be trusted
_PATIENCE = {16: 1e-5, 22: 1e-4, 28: 1e-3}  # evaluations after which less is asked: the bound jumps there
_GUESS = -1.5  # slope of log epsilon in log multiplier, before two points are known


@dataclass(frozen=True)
class Found:
    """``x``: the safe end, of which the bound was evaluated; ``slope``: d gap / d log x there, None where unknown."""

    x: float
    slope: float | None


def gap(value: float, target: float) -> float:
    """> 0 where the target is broken: log(value / target), and (value - target) / target below."""
    if value > target:
        return math.log(value / target) if value < math.inf else math.inf
    return (value - target) / target


def least(
    cost: Callable[[float], float],
    target: float,
    low: float,
    high: float,
    start: float,
    *,
    slope: float | None = None,
    tolerance: float = 1e-6,
) -> Found | None:
    """Least x in [low, high] with cost(x) <= target, to ``tolerance`` relative, 1e-3 where it jumps; it falls with x.

    ``slope``: d gap / d log x near the answer, where it is known. None where cost(high) > target.
    """
    bottom, top = math.log(low), math.log(high)
    u, reach, trusted = min(max(math.log(start), bottom), top), 0.7, slope is not None
    safe: tuple[float, float] | None = None
    broken: tuple[float, float] | None = None
    last: tuple[float, float] | None = None
    width, stalled, outwards = math.inf, 0, 0
    for count in range(BUDGET):
        g = gap(cost(_point(u, low, high)), target)
        if count in _PATIENCE:
            tolerance = max(tolerance, _PATIENCE[count])
        if last and math.isfinite(g + last[1]) and min(g, last[1]) > -1 and (g - last[1]) * (u - last[0]) < 0:
            slope, trusted = (g - last[1]) / (u - last[0]), abs(u - last[0]) < _NEAR
        last = (u, g)
        if g <= 0:
            safe = last
        else:
            broken = last
        if safe and (safe[0] <= bottom or (trusted and slope and count < 16 and safe[1] > tolerance * slope)):
            break
        if safe and broken and safe[0] - broken[0] <= tolerance:
            break
        if broken and broken[0] >= top:
            break
        pull = slope or _GUESS
        aim = u - g / pull + 0.3 * tolerance if -1 < g < math.inf else u - math.copysign(math.inf, -g or -1.0)
        if safe and broken:
            stalled = stalled + 1 if safe[0] - broken[0] > width / 2 else 0
            width = safe[0] - broken[0]
            if stalled > 1 or not broken[0] < aim < safe[0]:
                aim, stalled = 0.5 * (broken[0] + safe[0]), 0
            room = 0.2 * min(tolerance, width)
            u = min(max(aim, broken[0] + room), safe[0] - room)
        else:  # outwards, in growing steps at most, a little past the aim so that the ends enclose it
            side = 1 if g > 0 else -1
            further = aim + side * max(0.0 if trusted else 0.02, 1e-7 * 8.0**outwards)
            outwards += 1
            u = min(max(further, u - reach, bottom), u + reach, top)
            reach *= 1.6
    return Found(_point(safe[0], low, high), slope) if safe else None


def _point(u: float, low: float, high: float) -> float:
    if u <= math.log(low):
        return low
    return high if u >= math.log(high) else min(max(math.exp(u), low), high)


def greatest_whole(
    cost: Callable[[int], float], target: float, most: int, start: float, *, slope: float = 1.0
) -> Found | None:
    """Greatest n in [1, most] with cost(n) <= target and cost(n + 1) > target (or n = most); cost rises with n.

    ``slope``: d gap / d log n, where it is known. None where cost(1) > target.
    """
    n, safe, broken = int(min(max(round(start), 1), most)), 0, most + 1
    last: tuple[float, float] | None = None
    sides = 0
    for _ in range(BUDGET):
        g = gap(cost(n), target)
        here = (math.log(n), g)
        if (
            last
            and math.isfinite(g + last[1])
            and min(g, last[1]) > -1
            and (g - last[1]) * (here[0] - last[0]) > 0
        ):
            slope = (g - last[1]) / (here[0] - last[0])
        sides = max(sides, 0) + 1 if g <= 0 else min(sides, 0) - 1
        last = here
        if g <= 0:
            safe = n
        else:
            broken = n
        if broken - safe <= 1:
            break
        move = -g / slope if -1 < g < math.inf else math.copysign(4.0, -g)
        aim = math.exp(min(here[0] + min(max(move, -4.0), 4.0), 60.0))
        past = sides * (abs(sides) - 1)  # past the aim, further each time on the same side
        n = math.floor(aim + past) if g > 0 else math.ceil(aim + past)
        if abs(sides) > 3 and safe and broken <= most:
            n, sides = math.isqrt(safe * broken), 0
        n = min(max(n, safe + 1), broken - 1)
    return Found(safe, slope) if safe else None
