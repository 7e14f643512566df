"""delta(s) of one direction of a composition, by the sum over a vertical line, in balls.

inversion.py has the identity: with K(z) = sum n log M(z) + mu^2 z (z + 1) / 2, D the step, W = 2 pi / D,
    D / pi Re sum' over k >= 0 of e^{K(z_k) - s z_k} / (z_k (z_k + 1)) = sum over m of e^{c m W} delta(s + m W),
z_k = c + i k D (the term k = 0 halved). Here
    terms k < N     in balls: products of integer powers of the moments (rule.py), so no branch is chosen;
    terms k >= N    at most e^{-c s} prod D_i(Y)^{n_i} e^{mu^2 (c (c + 1) - Y^2) / 2} (1 + 1 / N) / (pi Y),  Y = N D
                    (rule.modulus; sum over k >= N of D / y_k^2 <= (1 + 1 / N) / Y);
    m < 0           at most 1 / (e^{c W} - 1);
    m > 0           at most e^{K(g) - g s} / (e^{(g - c) W} - 1), g > c.

G1. ``lower(s)`` <= delta(s) <= ``upper(s)`` for every real s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from refdp.accounting.certificate.balls import exact, load
from refdp.accounting.certificate.planning import Line
from refdp.accounting.certificate.rule import Moments, Step, modulus


@dataclass
class ContourSum:
    """One direction's sum.

    Attributes:
        values: e^{K(z_k)} / (z_k (z_k + 1)), k < N, the first halved; beyond: the terms' bound over e^{-c s}.
        log_top, log_guard: K(c) and K(g).
    """

    tilt: float
    step: float
    guard: float
    values: list[Any]
    beyond: Any
    log_top: Any
    log_guard: Any

    @classmethod
    def of(
        cls,
        lines: Sequence[Line],
        guards: Sequence[Line],
        mu_squared: Any,
        tilt: float,
        step: float,
        guard: float,
        count: int,
    ) -> ContourSum:
        """``lines`` at the tilt c, with their decays; ``guards``: the same steps at g."""
        flint = load()
        c, d = exact(tilt), exact(step)
        points = [flint.acb(c, k * d) for k in range(count)]
        values = [(mu_squared * z * (z + 1) / 2).exp() / (z * (z + 1)) for z in points]
        values[0] /= 2
        frequency = count * d
        log_top = mu_squared * c * (c + 1) / 2
        log_beyond = log_top - mu_squared * frequency**2 / 2
        for line in lines:
            own = Step(line.sides, line.multiplier, tilt)
            moments = Moments.of(own, line.grid)
            for k, value in enumerate(moments.along(d, count)):
                values[k] *= value**line.count
            log_real = moments.real.log()
            log_top += line.count * log_real
            if line.decay is None:
                log_beyond += line.count * log_real
            else:
                log_beyond += line.count * modulus(own, line.decay, frequency).log()
        beyond = log_beyond.exp() * (1 + 1 / exact(count)) / (flint.arb.pi() * frequency)
        return cls(tilt, step, guard, values, beyond, log_top, log_moment(guards, mu_squared, guard))

    def ball(self, s: float) -> Any:
        """The sum of the terms k < N."""
        flint = load()
        at = exact(s)
        turn = flint.acb(0, -at * exact(self.step))
        total = exact(0)
        for k, value in enumerate(self.values):
            total += (value * (k * turn).exp()).real
        return total * exact(self.step) / flint.arb.pi() * (-exact(self.tilt) * at).exp()

    def truncation(self, s: float) -> Any:
        """Bound on the terms k >= N."""
        return self.beyond * (-exact(self.tilt) * exact(s)).exp()

    def aliases(self, s: float) -> Any:
        """Bound on the terms m != 0."""
        window = 2 * load().arb.pi() / exact(self.step)
        left = 1 / (exact(self.tilt) * window).expm1()
        right = (self.log_guard - exact(self.guard) * exact(s)).exp()
        return left + right / ((exact(self.guard) - exact(self.tilt)) * window).expm1()

    def upper(self, s: float) -> Any:
        return self.ball(s) + self.truncation(s)

    def lower(self, s: float) -> Any:
        return self.ball(s) - self.truncation(s) - self.aliases(s)


def log_moment(lines: Sequence[Line], mu_squared: Any, tilt: float) -> Any:
    """K(tilt)."""
    c = exact(tilt)
    total = mu_squared * c * (c + 1) / 2
    for line in lines:
        total += line.count * Moments.of(Step(line.sides, line.multiplier, tilt), line.grid).real.log()
    return total


def log_chernoff(lines: Sequence[Line], mu_squared: Any, tilt: float, s: float) -> Any:
    """delta(s) <= e^{K(c) - c s} c^c / (1 + c)^{1 + c}: the greatest value of (1 - e^{-x}) e^{-c x}."""
    c = exact(tilt)
    return log_moment(lines, mu_squared, tilt) - c * exact(s) + c * c.log() - (1 + c) * (1 + c).log()
