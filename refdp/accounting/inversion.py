"""delta(epsilon) of a composition, exactly: its contour integral, summed with every error bounded.

For one direction of a composition of pairs (P_t, Q_t), with K(z) = sum_t n_t log E_{P_t}[e^{z loss}] and c > 0,
    delta(s) = E_P[(1 - e^{s - loss})_+] = (1 / 2 pi) integral over y of e^{K(z) - s z} / (z (z + 1)),  z = c + iy
(the Laplace transform of the pay-off is 1 / (z (z + 1)); Zhu, Dong, Wang 2022, arXiv 2106.08567; Alghamdi et al.
2023, arXiv 2208.09595). The sum over y = k D, with W = 2 pi / D, is by Poisson's formula exactly
    sum over m of e^{c m W} delta(s + m W),
that is delta(s) plus terms that are all >= 0:
    m < 0:  at most 1 / (e^{c W} - 1), as delta <= 1;
    m > 0:  at most e^{K(g) - g s} / (e^{(g - c) W} - 1) for any g > c (Chernoff).
No loss is rounded to a grid, so the enclosure is as narrow as the arithmetic.

G1. ``log_delta(s)`` encloses log delta(s): the upper end is the sum, plus the terms beyond the last (decay.py),
    plus the moments' errors (contour.py) and the rounding of the sum; the lower end subtracts these and the
    aliases too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from refdp.accounting.contour import Line
from refdp.accounting.laws import Law, blocks, decay_of, line
from refdp.accounting.tilt import Part, Plan

_Entry = tuple[Line, Law, np.ndarray, np.ndarray]
_EPS = 2.0**-52
_MAX_TERMS = 1 << 18
_MAX_WORK = 4e8
_TAIL_GOAL = -27.0
_GUARDS = 24


@dataclass(frozen=True)
class Inversion:
    """A composition's moments on the line c + i k step, k = 0 .. N - 1, and the bounds of what they leave out.

    Attributes:
        log_top: K(c), within top_error.
        log_phi: K(z_k) - K(c), complex [N]; phi_error: bound on |e^{error} - 1| of its exponential, [N].
        log_tail: log of the terms beyond, relative to e^{K(c) - c s}.
        guard, log_guard: g and an upper value of K(g).
    """

    tilt: float
    step: float
    log_top: float
    top_error: float
    log_phi: np.ndarray
    phi_error: np.ndarray
    log_tail: float
    guard: float
    log_guard: float

    def log_delta(self, s: float) -> tuple[float, float]:
        """(lower, upper) of log delta at epsilon = s."""
        y = self.step * np.arange(len(self.log_phi))
        z = self.tilt + 1j * y
        terms = np.exp(self.log_phi - 1j * (s * y)) / (z * (z + 1)) * (self.step / math.pi)
        terms[0] *= 0.5
        size = np.abs(terms)
        slack = self.phi_error + _EPS * (16 + 4 * np.abs(self.log_phi) + 4 * abs(s) * y)
        error = float(np.sum(size * slack)) + 64 * _EPS * float(size.sum())
        error += math.exp(self.log_tail)
        value = math.fsum(terms.real)
        shift = self.log_top - self.tilt * s
        wobble = self.top_error + 4 * _EPS * (abs(self.log_top) + abs(self.tilt * s))
        upper = shift + math.log(value + error) + wobble if value + error > 0 else -math.inf
        window = 2 * math.pi / self.step
        left = -shift - self.tilt * window - math.log(-math.expm1(-self.tilt * window))
        gap = (self.guard - self.tilt) * window
        right = self.log_guard - self.guard * s - gap - math.log(-math.expm1(-gap)) - shift
        aliases = sum(math.exp(min(x + wobble, 700.0)) for x in (left, right))
        least = value - error - aliases * (1 + 1e-9)
        lower = shift + math.log(least) - wobble if least > 0 else -math.inf
        return lower, min(upper, 0.0)


def invert(parts: Sequence[Part], mu_squared: float, chosen: Plan) -> Inversion | None:
    """Moments of every part along the chosen line; None where some part would take too many nodes."""
    tilt, step = chosen.tilt, 2 * math.pi / chosen.window
    repeats = float(sum(part.counts.sum() for part in parts))
    lines: list[_Entry] = []
    for part in parts:
        for block in blocks(part.law, part.sigmas, tilt):
            sigmas, counts = part.sigmas[block], part.counts[block]
            found = line(part.law, sigmas, tilt, repeats)
            if found is None:
                return None
            lines.append((found, part.law, sigmas, counts))
    count, log_tail = _terms(lines, mu_squared, tilt, step)
    log_top = mu_squared * tilt * (tilt + 1) / 2
    top_error = 64 * _EPS * log_top
    y = step * np.arange(count)
    log_phi = -0.5 * mu_squared * y * y + 1j * (mu_squared * (tilt + 0.5)) * y
    log_error = 64 * _EPS * np.abs(log_phi)
    log_size, top_size = np.abs(log_phi), abs(log_top)
    for found, _, _, counts in lines:
        for row, excess, error in found.excesses(step, count):
            modulus = np.maximum(np.abs(1 + excess), 1e-290)
            square = excess.real * (2 + excess.real) + excess.imag**2
            near = 0.5 * np.log1p(np.maximum(square, -0.5))
            real = counts[row] * np.where(square > -0.5, near, np.log(modulus))
            imag = counts[row] * np.arctan2(excess.imag, 1 + excess.real)
            log_phi.real += real
            log_phi.imag += imag
            log_size += np.abs(real) + np.abs(imag)
            log_error += counts[row] * (
                np.log1p(error / modulus) + 4 * _EPS * np.minimum(np.abs(excess) / modulus, 4.0)
            )
        log_top += float(counts @ found.log_scale)
        top_size += float(counts @ np.abs(found.log_scale))
        top_error += float(counts @ (found.scale_error + 4 * _EPS * np.abs(found.log_scale)))
    added = sum(len(entry[3]) for entry in lines) + 8  # as many sums, each rounded
    log_error += added * _EPS * log_size
    top_error += added * _EPS * top_size
    phi_error = np.expm1(np.minimum(log_error, 700.0))
    log_guard = log_moment_upper(parts, mu_squared, chosen.guard)
    return Inversion(tilt, step, log_top, top_error, log_phi, phi_error, log_tail, chosen.guard, log_guard)


def log_moment_upper(parts: Sequence[Part], mu_squared: float, tilt: float) -> float:
    """An upper value of K(tilt); many multipliers are rounded down in groups."""
    value = mu_squared * tilt * (tilt + 1) / 2 * (1 + 16 * _EPS)
    for part in parts:
        coarse = part.binned(_GUARDS)
        for block in blocks(part.law, coarse.sigmas, tilt):
            found = line(part.law, coarse.sigmas[block], tilt, 1.0)
            if found is None:
                return math.inf
            value += float(coarse.counts[block] @ (found.log_scale + found.scale_error))
    return value


def _terms(lines: list[_Entry], mu_squared: float, tilt: float, step: float) -> tuple[int, float]:
    """How many terms to sum, and log of a bound on the rest relative to e^{K(c) - c s}.

    The rest is at most sup |phi| beyond the last frequency, times the sum of step / (pi y^2).
    """
    nodes = sum(found.loss.size for found, *_ in lines) or 1
    most = int(min(_MAX_TERMS, max(_MAX_WORK / nodes, 64)))
    counts = np.unique(np.geomspace(8, most, 96).astype(int))
    summed = step * (counts - 1)
    frequencies = np.concatenate([summed, summed[-1] * np.geomspace(1.2, 1e7, 48)])
    goal = _TAIL_GOAL - math.log1p(tilt) - math.log(tilt) + np.log(math.pi * frequencies)
    bands = -0.5 * mu_squared * frequencies**2 * (1 - 1e-12)
    quarter = len(counts) // 4
    for found, law, sigmas, repeats in sorted(lines, key=lambda entry: -entry[3].sum()):
        bands = bands + decay_of(law, sigmas, tilt, found.log_scale).log_bounds(frequencies, repeats)
        if np.all(bands[quarter:] < 2 * goal[quarter:] - 20):  # the rest can only lower it
            break
    bound = np.maximum.accumulate(bands[::-1])[::-1][: len(counts)]
    tails = bound - np.log(math.pi * summed)
    enough = np.flatnonzero(bound <= goal[: len(counts)])
    index = int(enough[0]) if enough.size else len(counts) - 1
    return int(counts[index]), float(tails[index]) + 1e-9
