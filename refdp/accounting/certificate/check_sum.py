"""The checker's contour sum, at the certificate's tilt, step and terms, and what its multipliers stand for.

A contour's multipliers may be fewer than the ledger's: for a claim from above they must dominate the ledger's (sorted,
each at most its counterpart: less noise is post-processed into more), for one from below be dominated by them.

G1. ``Sum.lower(s)`` <= delta(s) <= ``Sum.upper(s)`` for the steps of its lines.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from refdp.accounting.certificate.balls import exact, load
from refdp.accounting.certificate.check_integrals import Density, Panels, Refused, beyond, panels, real
from refdp.accounting.certificate.statement import Sides, Steps

_MAX_TERMS = 200_000
Entry = tuple[Sides, float, int]  # pair, multiplier, count


class Sum:
    """The contour sum at the certificate's tilt, step and terms, from the checker's own moments."""

    def __init__(
        self, where: str, contour: dict[str, Any], steps: Sequence[Steps], squared: Any, amplified: float
    ) -> None:
        flint = load()
        count, tilt, step, guard = (contour[name] for name in ("terms", "tilt", "step", "guard"))
        if not 1 <= count <= _MAX_TERMS:
            raise Refused(f"{where}: terms = {count!r}: must be from 1 to {_MAX_TERMS}")
        if not (tilt > 0 and step > 0 and guard > tilt):
            raise Refused(f"{where}: needs tilt > 0, step > 0 and guard > tilt")
        self.c, self.d, self.g = exact(tilt), exact(step), exact(guard)
        repeats = math.log(1 + sum(line["count"] for line in contour["lines"]))
        nats = 24 + repeats + min(amplified, 60.0)
        points = [self.c + flint.acb(0, k) * self.d for k in range(count)]
        self.terms = [(squared * (z * z + z) / 2).exp() / (z * z + z) for z in points]
        frequency = count * self.d
        log_top = squared * (self.c**2 + self.c) / 2
        log_rest = log_top - squared * frequency**2 / 2
        entries: list[Entry] = []
        for line in contour["lines"]:
            sides = steps[line["kind"]].direction(contour["direction"])
            entries.append((sides, line["noise_multiplier"], line["count"]))
            density = Density(sides, line["noise_multiplier"], tilt)
            found: Panels = panels(density, nats)
            for k, value in enumerate(found.moments(self.d, count)):
                self.terms[k] *= value ** line["count"]
            top = found.real.log()
            log_top += line["count"] * top
            log_rest += line["count"] * beyond(density, line["decay_height"], frequency).log().min(top)
        # sum over k >= N of d / y_k^2 <= d / Y^2 + 1 / Y
        self.log_rest = log_rest + ((self.d / frequency + 1) / (flint.arb.pi() * frequency)).log()
        self.log_guard = cumulant(entries, squared, guard, 24 + repeats)
        overlap(f"{where}: log_top", contour["log_top"], log_top)
        overlap(f"{where}: log_guard", contour["log_guard"], self.log_guard)
        if not self.log_rest <= exact(contour["log_beyond"][1]) + exact(1e-3):
            raise Refused(
                f"{where}: terms = {count!r}: the rest may be e^{show(self.log_rest)}, more than stated"
            )

    def ball(self, s: float) -> Any:
        """(d / pi) e^{-c s} (half the first term and the real parts of the others, turned by e^{-i s y})."""
        at, total = exact(s), self.terms[0].real / 2
        for k, term in enumerate(self.terms[1:], 1):
            sine, cosine = (at * k * self.d).sin_cos()
            total += term.real * cosine + term.imag * sine
        return total * self.d / load().arb.pi() * (-self.c * at).exp()

    def _rest(self, s: float) -> Any:
        return (self.log_rest - self.c * exact(s)).exp()

    def upper(self, s: float) -> Any:
        return self.ball(s) + self._rest(s)

    def lower(self, s: float) -> Any:
        window = 2 * load().arb.pi() / self.d
        ratio = (-self.c * window).exp()
        left = ratio / (1 - ratio)
        ratio = (-(self.g - self.c) * window).exp()
        right = (self.log_guard - self.g * exact(s)).exp() * ratio / (1 - ratio)
        return self.ball(s) - self._rest(s) - left - right


def cumulant(entries: Sequence[Entry], squared: Any, tilt: float, nats: float) -> Any:
    """K(tilt), by adaptive quadrature on the real line."""
    c = exact(tilt)
    total = squared * (c * c + c) / 2
    for sides, multiplier, count in entries:
        total += count * real(Density(sides, multiplier, tilt), nats + math.log(1 + count)).log()
    return total


def covers(where: str, lines: Sequence[dict[str, Any]], steps: Sequence[Steps], *, above: bool) -> None:
    """Whether the lines dominate the steps (or are dominated by them), kind by kind."""
    for line in lines:
        if not (0 <= line["kind"] < len(steps) and line["count"] >= 1 and line["noise_multiplier"] > 0):
            raise Refused(f"{where}: a line of no kind, count or noise multiplier")
    for kind, own in enumerate(steps):
        mine = sorted((line["noise_multiplier"], line["count"]) for line in lines if line["kind"] == kind)
        if sum(count for _, count in mine) != sum(own.counts):
            raise Refused(
                f"{where}: {sum(c for _, c in mine)} steps of {own.name}, the ledger has {sum(own.counts)}"
            )
        theirs = list(zip(own.multipliers, own.counts, strict=True))
        i = j = done_mine = done_theirs = 0
        while i < len(mine) and j < len(theirs):  # walk both in step order
            ahead = mine[i][0] > theirs[j][0] if above else mine[i][0] < theirs[j][0]
            if ahead:
                raise Refused(
                    f"{where}: noise multiplier {mine[i][0]!r} stands for the ledger's {theirs[j][0]!r}"
                )
            end_mine, end_theirs = done_mine + mine[i][1], done_theirs + theirs[j][1]
            if end_mine <= end_theirs:
                i, done_mine = i + 1, end_mine
            if end_theirs <= end_mine:
                j, done_theirs = j + 1, end_theirs


def lowered(steps: Steps, most: int) -> list[tuple[float, int]]:
    """Multipliers in at most so many equal steps of the logarithm, each lowered to the least of its step."""
    values, counts = steps.multipliers, steps.counts
    if len(values) <= most:
        return list(zip(values, counts, strict=True))
    scale = most / math.log(values[-1] / values[0])
    found: dict[int, tuple[float, int]] = {}
    for value, count in zip(values, counts, strict=True):
        place = min(int(math.log(value / values[0]) * scale), most - 1)
        least, total = found.get(place, (value, 0))
        found[place] = (least, total + count)
    return list(found.values())


def overlap(where: str, stated: list[float], own: Any) -> None:
    low, high = exact(stated[0]), exact(stated[1])
    if not (low <= high and low.union(high).overlaps(own)):
        raise Refused(f"{where} = {stated!r}: the checker finds {show(own)}")


def near(where: str, stated: float, own: Any, tolerance: float) -> None:
    if not abs(exact(stated) - own) <= exact(tolerance) * (1 + abs(own)):
        raise Refused(f"{where} = {stated!r}: the checker finds {show(own)}")


def show(ball: Any) -> str:
    return str(ball.str(10, radius=False))
