"""How fast a step's characteristic function falls, for every frequency beyond a point at once.

With g the tilted density of t (integral 1) and l(t) the loss, rising, integration by parts on a window [u, v] gives
    |integral over [u, v] of e^{iyl} g dt| <= tau / y,   tau = (g / l')(u) + (g / l')(v) + variation of g / l',
so for all y >= Y:   |M(c + iy)| / M(c) <= P(t outside [u, v]) + tau / Y    (van der Corput).
The variation is at most the integral of |d log(g / l')| g / l'.  l' = (E_A - E_B) / sigma, and
l'' = (V_A - V_B) / sigma^2 with the means' posterior variances, V <= (high - E)(E - low) (Bhatia and Davis), and
|l'' / l'| <= range / sigma in any case.

Where y is small against 1 / deviation of one step, that says nothing, and many small steps add up all the same: with
D = l - l' of two independent draws, 1 - cos x >= 2 x^2 / pi^2 on |x| <= pi gives, for y in [Y, Z] and any window over
which the loss ranges over at most pi / Z,
    (|M(c + iy)| / M(c))^2 = E cos(y D) <= 1 - (2 / pi^2) Y^2 E[D^2; both in the window].

G1. ``log_bounds(Y)[i]`` is never below log(sup over Y[i] <= y <= Y[i+1] of |M(c + iy)| / M(c)), the last one of all
    y >= Y[-1].
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from refdp.accounting.edges import edges
from refdp.accounting.pairs import Pair

_CUTS = 16
_MAX_NODES = 100_000


@dataclass(frozen=True)
class Decay:
    """Of several windows [u, v], [M, K, K]: P(t in it), from below; tau, from above; the loss's range over it; and
    E[D^2; both in it], from below."""

    above: np.ndarray
    tau: np.ndarray
    extent: np.ndarray
    square: np.ndarray

    def log_bounds(self, frequencies: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Bound on each band of frequencies [F], summed over the M multipliers with their counts; at most 0."""
        total = np.zeros(len(frequencies))
        following = np.append(frequencies[1:], math.inf)
        for above, tau, extent, square, count in zip(
            self.above, self.tau, self.extent, self.square, counts, strict=True
        ):
            good = np.isfinite(tau) & (above > 0)
            if not good.any():
                continue
            with np.errstate(over="ignore"):
                far = (above[good] - tau[good] / frequencies[:, None]).max(axis=1)
            logs = np.log1p(-np.clip(far, 0.0, 1 - 1e-15) * (1 - 1e-9))
            order = np.argsort(extent[good])
            most = np.maximum.accumulate(square[good][order])
            place = np.searchsorted(extent[good][order], math.pi / following, side="right") - 1
            fit = np.where(place >= 0, most[np.maximum(place, 0)], 0.0)
            near = np.clip(2 / math.pi**2 * frequencies**2 * fit, 0.0, 1 - 1e-15)
            total += count * np.minimum(logs, 0.5 * np.log1p(-near * (1 - 1e-9)))
        return total


def decay(
    pair: Pair, sigmas: np.ndarray, tilt: float, log_scale: np.ndarray, start: float = -math.inf
) -> Decay:
    """The windows of an oriented pair at c = tilt, for each noise multiplier; log_scale: log M(c), [M].

    ``start``: windows are taken from there on only (of a law whose density is the pair's only there).
    """
    low, high = edges(pair, sigmas, tilt)
    low = max(low, start)
    (low_p, high_p), (low_q, high_q) = pair.p.span, pair.q.span
    sigma, least = sigmas[:, None], float(sigmas.min())
    reach = max(high_p, high_q) - min(low_p, low_q)
    steepest = max(-low, high) + ((1 + tilt) * max(abs(low_p), abs(high_p)) + reach) / least
    count = int(min(max((high - low) * min(steepest, 40.0), 512), _MAX_NODES))
    t = np.linspace(low, high, count)
    h = t[1] - t[0]
    mean_p, mean_q = pair.p.mean(t, sigma), pair.q.mean(t, sigma)
    with np.errstate(all="ignore"):
        log_p, log_q = pair.p.log(t, sigma), pair.q.log(t, sigma)
        log_g = -0.5 * t * t + (1 + tilt) * log_p - tilt * log_q
        log_g = log_g - (log_scale[:, None] + 0.5 * math.log(2 * math.pi))
        # slope of log g within each cell, from the monotone means at its ends
        most = -t[:-1] + ((1 + tilt) * mean_p[:, 1:] - tilt * mean_q[:, :-1]) / sigma
        least_slope = -t[1:] + ((1 + tilt) * mean_p[:, :-1] - tilt * mean_q[:, 1:]) / sigma
        slope = np.maximum(np.abs(most), np.abs(least_slope))
        inside = h * np.exp(np.minimum(log_g[:, :-1], log_g[:, 1:]) - slope * (h / 2))
        log_ratio = log_g - np.log(np.maximum(mean_p - mean_q, 1e-300) / sigma)
        variance = (high_p - mean_p[:, :-1]) * (mean_p[:, 1:] - low_p)
        variance = variance + (high_q - mean_q[:, :-1]) * (mean_q[:, 1:] - low_q)
        gap = np.maximum(mean_p[:, :-1] - mean_q[:, 1:], 1e-300)
        bend = slope + np.minimum((variance + 1e-12) / gap, reach) / sigma
        peak = np.maximum(log_ratio[:, :-1], log_ratio[:, 1:]) + bend * (h / 2)
        varying = h * bend * np.exp(np.minimum(peak, 709.0))
        ends = np.exp(np.minimum(log_ratio, 709.0))
        pick = _picks(inside)
        above = _windows(inside, pick) * (1 - 1e-9)
        tau = (_windows(varying, pick) + ends[:, pick][:, :, None] + ends[:, pick][:, None, :]) * (1 + 1e-9)
        extent, square = _spreads(log_p - log_q, inside, above, pick)
    return Decay(above, tau, extent, square)


def _spreads(
    loss: np.ndarray, inside: np.ndarray, above: np.ndarray, pick: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Range of the loss over each window, and a lower value of E[D^2; both in it] = 2 p^2 Var, [M, K, K].

    The loss is taken at the middle of each cell; by the triangle inequality in L2 the deviation is off by no more
    than the root mean square of half the cells' widths. Cell masses from below make all of it smaller.
    """
    middle, half = 0.5 * (loss[:, 1:] + loss[:, :-1]), 0.5 * (loss[:, 1:] - loss[:, :-1])
    mean = np.sum(inside * middle, axis=1, keepdims=True) / np.sum(inside, axis=1, keepdims=True)
    centred = middle - mean
    first, second = _windows(inside * centred, pick), _windows(inside * centred**2, pick)
    blur = _windows(inside * (half + 1e-13 * np.abs(middle)) ** 2, pick)
    spread = np.sqrt(np.maximum(above * second * (1 - 1e-9) - first**2 * (1 + 1e-9), 0.0))
    deviation = np.maximum(spread - np.sqrt(above * blur) * 1.001, 0.0)
    ends = loss[:, pick]
    extent = (ends[:, None, :] - ends[:, :, None]) * (1 + 1e-12) + 1e-300
    return extent, 2 * deviation**2 * (1 - 1e-6)


def _picks(mass: np.ndarray) -> np.ndarray:
    """Indices of window ends: some evenly spaced in t, some in probability (of the middle multiplier)."""
    cells = mass.shape[1]
    share = np.cumsum(mass[len(mass) // 2])
    share = share / share[-1]
    levels = np.concatenate([[1e-4, 1e-3, 1e-2], np.linspace(0.04, 0.96, _CUTS - 6), [0.99, 0.999, 0.9999]])
    return np.unique(
        np.concatenate([np.linspace(0, cells, _CUTS), np.searchsorted(share, levels)]).astype(int)
    )


def _windows(cells: np.ndarray, pick: np.ndarray) -> np.ndarray:
    """[M, K, K] sums of the cells between two picks; 0 on and below the diagonal. Each sum is of its own cells."""
    parts = np.add.reduceat(cells, pick[:-1], axis=1)
    count = parts.shape[1]
    upper = np.where(np.tri(count, k=-1, dtype=bool), 0.0, parts[:, None, :])
    sums = np.zeros((len(cells), len(pick), len(pick)))
    sums[:, :-1, 1:] = np.cumsum(upper, axis=2)
    return sums
