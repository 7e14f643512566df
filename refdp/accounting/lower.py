"""A valid lower bound on epsilon for Poisson-sampled Gaussian steps, from one test an adversary could run.

Post-processing never raises epsilon, so any test bounds it from below: an event E with P(E) > delta under one
data set and Q(E) under its neighbour gives epsilon >= log((P(E) - delta) / Q(E)). The test here sums the noisy
observations of k steps (adding noise first where a step has less than the noisiest of the k):
under Q the sum is N(0, k sigma^2), under P it is the mixture over j ~ Binomial(k, q) of N(j, k sigma^2). Both
tails and a range of k are tried. Near-tight where noise is large; loose where multipliers are below 1.

G1. Every reported value is a true lower bound: the mixture is truncated and shrunk by its own error bound.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import gammaln, log_ndtr, logsumexp

_EPS = 2.0**-52
_MAX_COMPONENTS = 2001


def _log_binomial(k: int, q: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Values j around the mean, log P(j), and a bound on the error of those logs."""
    centre, spread = k * q, math.sqrt(k * q * (1 - q))
    low = max(0, math.floor(centre - 12 * spread - 12))
    high = min(k, math.ceil(centre + 12 * spread + 12))
    stride = max(1, (high - low) // (_MAX_COMPONENTS - 1))
    j = np.arange(low, high + 1, stride, dtype=np.float64)
    logs = gammaln(k + 1) - gammaln(j + 1) - gammaln(k - j + 1) + j * math.log(q) + (k - j) * math.log1p(-q)
    return (
        j,
        logs,
        32 * _EPS * (float(gammaln(k + 2)) + k * abs(math.log1p(-q)) + high * abs(math.log(q)) + 1),
    )


def _grouped(j: np.ndarray, logs: np.ndarray, k: int, q: float) -> tuple[np.ndarray, np.ndarray]:
    """With a stride s > 1, each node stands for itself only: a sub-probability, so P(E) is underestimated."""
    if len(j) < 2 or j[1] - j[0] == 1:
        return j, logs
    stride = int(j[1] - j[0])
    # log-concave weights: a block of s consecutive values weighs at least s * min(of its two end nodes)
    blocks = np.minimum(logs[:-1], logs[1:]) + math.log(stride)
    return j[:-1], blocks  # shift rounded down within the block


def _best_threshold(j: np.ndarray, logs: np.ndarray, error: float, scale: float, delta: float) -> float:
    """Largest log((P(S > y) - delta) / Q(S > y)) over thresholds y, for the remove direction."""
    best = 0.0
    low, high = -8 * scale, float(j[-1]) + 8 * scale
    for _ in range(4):
        y = np.linspace(low, high, 64)
        log_p = logsumexp(logs + log_ndtr((j - y[:, None]) / scale), axis=1) - error
        log_q = log_ndtr(-y / scale)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            gap = np.where(
                log_p > math.log(delta), log_p + np.log1p(-np.exp(math.log(delta) - log_p)), -np.inf
            )
        value = gap - log_q - 1e-12 * (np.abs(log_q) + np.abs(log_p) + 1)
        at = int(np.argmax(value))
        if not math.isfinite(float(value[at])):
            break
        best = max(best, float(value[at]))
        low, high = y[max(at - 1, 0)], y[min(at + 1, len(y) - 1)]
    return best


def _best_lower_tail(j: np.ndarray, logs: np.ndarray, error: float, scale: float, delta: float) -> float:
    """The same for the add direction: E = {S < y}, Q(E) = Phi(y / scale) against the mixture's tail."""
    dropped = max(0.0, -math.expm1(min(0.0, float(logsumexp(logs)) - error)))  # mass not represented
    y = np.linspace(-8 * scale, float(j[-1]), 128)
    log_q = log_ndtr(y / scale)
    log_p = logsumexp(logs + log_ndtr((y[:, None] - j) / scale), axis=1) + error
    log_p = np.logaddexp(log_p, math.log(dropped) if dropped > 0 else -math.inf)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        gap = np.where(log_q > math.log(delta), log_q + np.log1p(-np.exp(math.log(delta) - log_q)), -np.inf)
        value = gap - log_p - 1e-12 * (np.abs(log_q) + np.abs(log_p) + 1)
    return max(0.0, float(np.max(np.where(np.isnan(value), -np.inf, value))))


def poisson_epsilon_lower(
    sample_rate: float, noise_multipliers: np.ndarray, counts: np.ndarray, delta: float
) -> float:
    """Lower bound on epsilon at delta for Poisson steps of one rate in (0, 1), add-remove or zero-out.

    Args:
        sample_rate: q.
        noise_multipliers: distinct values, ascending, > 0.
        counts: how often each was used.
    """
    noise_multipliers = np.maximum(noise_multipliers, 1e-100)  # more noise is post-processing too
    total = counts.sum()
    cumulative = np.cumsum(counts)
    best = 0.0
    k = 1
    while True:
        steps = min(k, int(total))
        noisiest = float(noise_multipliers[int(np.searchsorted(cumulative, steps))])
        scale = noisiest * math.sqrt(steps)
        j, logs, error = _log_binomial(steps, sample_rate)
        nodes, weights = _grouped(j, logs, steps, sample_rate)
        best = max(best, _best_threshold(nodes, weights, error, scale, delta))
        if len(nodes) == len(j):
            best = max(best, _best_lower_tail(j, logs, error, scale, delta))
        if steps == int(total):
            return best
        k *= 2


def no_noise_epsilon_lower(sample_rate: float, steps: float, delta: float) -> float:
    """Without noise, membership shows whenever the record is drawn: infinite if that is likelier than delta."""
    seen = -math.expm1(steps * math.log1p(-sample_rate)) if sample_rate < 1 else 1.0
    return math.inf if seen * (1 - 1e-12) > delta else 0.0
