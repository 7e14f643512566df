"""A valid lower bound on epsilon for shuffled batches, from tests an adversary could run.

Each epoch every record falls into one of m batches, by an order drawn afresh. Let all other records contribute
-C in one direction and the record in question +C, which under zero-out becomes 0 and under replace-one -C (Chua et al.
2024, arXiv 2403.17673, section 4: such neighbours show shuffling to be worth less than Poisson sampling). Less the
public -C times each batch's size, batch t of an epoch then shows N(2 [t = T], s^2) with the record, and
N(1 [t = T], s^2) (zero-out) or N(0, s^2) (replace-one) without, T being the batch it fell into, in units of C.

The tests, with w_e = 1 / s_e^2 and the sums over some epochs, the least noisy first:
many    sum_e w_e max_t y_et >= c. With the record at least N(2 V, V) exceeds c, V = sum_e w_e; without it, by
        the union bound over the m^E choices of one batch an epoch, at most
        sum_k (E choose k) (m - 1)^k P(N(a_k, V) >= c), a_k being V less the k smallest w (0 under replace-one).
one     max_t y_t >= c in one epoch, by the products of normal distributions, as they stand.
Both also after adding up k batches at a time (ceil(m / k) of them, of noise sqrt(k) s), which pays at large noise.
At m = 1 under zero-out the first is the exact Gaussian curve. Batches that are noisier within an epoch than their
least noisy one are covered by giving all of them the greatest noise of the epoch: post-processing.

G1. Every value is a true lower bound on epsilon, where all batches hold at least one record.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.special import gammaln, log_ndtr, logsumexp

from refdp.accounting import _checks
from refdp.accounting.neighboring import REPLACE_ONE, ZERO_OUT

_MARGIN = 1e-12  # of every logarithm: log_ndtr and gammaln are good to 1e-14
_THRESHOLDS = 64


def shuffle_epsilon_lower(
    noise_multipliers: np.ndarray,
    batches: int,
    delta: float,
    neighboring: str = ZERO_OUT,
    *,
    takes_part: float = 1.0,
) -> float:
    """Lower bound on epsilon at delta of shuffled epochs, >= 0; inf where an epoch has no noise.

    Args:
        noise_multipliers: the greatest one of each epoch, >= 0, float64 [epochs].
        batches: of an epoch, m >= 1.
        delta: in (0, 1).
        neighboring: "zero-out" or "replace-one".
        takes_part: chance that the record is in any batch of an epoch (below 1 where the last is dropped).

    Raises:
        AccountingError: an argument out of range.
    """
    _checks.open_unit("delta", delta)
    _checks.whole("batches", batches, 1)
    _checks.option("neighboring", neighboring, (ZERO_OUT, REPLACE_ONE))
    present = _checks.probability("takes_part", takes_part)
    noise = np.sort([_checks.non_negative("noise_multiplier", float(x)) for x in noise_multipliers])
    if not len(noise) or present == 0:
        return 0.0
    if noise[0] < 1e-100:
        return math.inf if present * (1 - _MARGIN) > delta else 0.0
    without = 1.0 if neighboring == ZERO_OUT else 0.0
    best, pool = 0.0, 1
    while True:
        left = -(-batches // pool)
        louder = noise * (math.sqrt(pool) * (1 + 1e-15))
        best = max(best, _one(float(louder[0]), left, delta, without, present))
        for epochs in sorted({*(2**k for k in range(len(noise).bit_length())), len(noise)}):
            best = max(best, _many(louder[:epochs], left, delta, without, present))
        if left == 1:
            return best
        pool *= 2


def _many(noise: np.ndarray, batches: int, delta: float, without: float, present: float) -> float:
    weights = 1.0 / noise**2
    total, epochs = float(weights.sum()), len(noise)
    spread = math.sqrt(total)
    wrong = np.arange(epochs + 1 if batches > 1 else 1)
    left = total - np.concatenate([[0.0], np.cumsum(np.sort(weights))])[wrong]
    ways = gammaln(epochs + 1) - gammaln(wrong + 1) - gammaln(epochs - wrong + 1)
    ways += wrong * (math.log(batches - 1) if batches > 1 else 0.0)

    def log_chances(c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        log_p = epochs * math.log(present) + log_ndtr((2 * total - c) / spread)
        log_q = logsumexp(ways + log_ndtr((without * left - c[:, None]) / spread), axis=1)
        return log_p, log_q

    return _best(log_chances, 2 * total - 40 * spread, 2 * total + 40 * spread, delta)


def _one(noise: float, batches: int, delta: float, without: float, present: float) -> float:
    def log_chances(c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        others = (batches - 1) * log_ndtr(c / noise)
        log_p = math.log(present) + _log1mexp(others + log_ndtr((c - 2) / noise))
        dropped = math.log1p(-present) if present < 1 else -math.inf
        log_q = np.logaddexp(
            _log1mexp(others + log_ndtr((c - without) / noise)),
            dropped + _log1mexp(others + log_ndtr(c / noise)),
        )
        return log_p, log_q

    reach = noise * (40 + math.sqrt(2 * math.log(batches)))
    return _best(log_chances, -2.0, 2.0 + reach, delta)


def _log1mexp(x: np.ndarray) -> np.ndarray:
    """log(1 - e^x) for x <= 0, to relative accuracy."""
    with np.errstate(divide="ignore"):
        return np.where(x > -0.6931, np.log(-np.expm1(x)), np.log1p(-np.exp(x)))


def _best(
    log_chances: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], low: float, high: float, delta: float
) -> float:
    """Largest log((P - delta) / Q) over thresholds, by a search that narrows; every point tried is a bound."""
    best, log_delta = 0.0, math.log(delta)
    for _ in range(6):
        c = np.linspace(low, high, _THRESHOLDS)
        log_p, log_q = log_chances(c)
        log_p = log_p - _MARGIN * (1 + np.abs(log_p))
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            gap = np.where(log_p > log_delta, log_p + np.log1p(-np.exp(log_delta - log_p)), -np.inf)
            value = gap - log_q - _MARGIN * (1 + np.abs(gap) + np.abs(log_q))
        value = np.where(np.isnan(value), -np.inf, value)
        at = int(np.argmax(value))
        if not math.isfinite(float(value[at])):
            break
        best = max(best, float(value[at]))
        low, high = c[max(at - 1, 0)], c[min(at + 1, _THRESHOLDS - 1)]
    return best
