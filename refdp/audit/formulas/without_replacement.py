"""Renyi DP for sampling without replacement (Wang, Balle, Kasiviswanathan 2019, arXiv 1808.00087).

One step at integer order a, with e(j) = j / (2 s^2):
    log(1 + q^2 C(a,2) min(4 (e^e(2) - 1), 2 e^e(2)) + sum over j = 3..a of q^j C(a,j) 2 e^((j-1) e(j))) / (a - 1)
without-replacement                 that (Theorem 9), orders 2 .. 64, conversion mironov2017
without-replacement-dp-accounting   the tighter Theorem 27, where each term j >= 3 is at most 4 q^j C(a,j)
        sqrt(B(2 floor(j/2)) B(2 ceil(j/2))), B(l) = E (P/Q - 1)^l; its orders to 63, then 128 and 256, fractional
        ones by linear interpolation of (a - 1) R_a; 512 and 1024 by Theorem 9; conversion arXiv 2004.00010,
        Proposition 12 (SampledWithoutReplacementDpEvent, dp-accounting 0.6.0)
Both take a sensitivity of 1 and were made for replace-one, where a summed gradient moves by 2. As Poisson and
add-remove bounds they are valid (the Poisson moment is 1 + sum over j of q^j C(a,j) E (P/Q - 1)^j) and loose.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy.special import gammaln

from refdp.audit.formulas._base import BOUND, Formula, Setting, Value
from refdp.audit.formulas._grids import DP_ACCOUNTING, TENTHS, balle, gaussian, mironov

_LOG2, _LOG4 = math.log(2), math.log(4)


@lru_cache(maxsize=8)
def _log_binomials(orders: tuple[int, ...]) -> np.ndarray:
    """log C(a, j), orders by j = 2 .. their largest; -inf where j > a."""
    a, j = np.array(orders, dtype=float)[:, None], np.arange(2, max(orders) + 1, dtype=float)
    with np.errstate(all="ignore"):
        values = gammaln(a + 1) - gammaln(j + 1) - gammaln(a - j + 1)
    return np.where(j <= a, values, -np.inf)


def _log_moments(q: float, orders: Sequence[int], terms: np.ndarray) -> np.ndarray:
    """log(1 + sum q^j C(a, j) e^terms[j]), j = 2 .. a, for each order a."""
    chosen = _log_binomials(tuple(orders))
    exponents = chosen + np.arange(2, chosen.shape[1] + 2) * math.log(q) + terms[: chosen.shape[1]]
    top = np.maximum(exponents.max(axis=1), 0.0)
    total = np.exp(-top) + np.exp(exponents - top[:, None]).sum(axis=1)
    found: np.ndarray = np.where(top > 0, top + np.log(total), np.log1p(np.exp(exponents).sum(axis=1)))
    return found


def _plain_terms(snr: float, highest: int) -> np.ndarray:
    """Theorem 9's terms for j = 2 .. highest, in logarithms."""
    j = np.arange(2, highest + 1, dtype=float)
    terms = _LOG2 + j * (j - 1) * snr / 2
    log_excess = snr + math.log(-math.expm1(-snr)) if snr > 0 else -math.inf
    terms[0] = min(_LOG4 + log_excess, _LOG2 + snr)
    return terms


def _log_central(snr: float, highest: int) -> np.ndarray:
    """log |E (P/Q - 1)^l| for l = 0 .. highest: the differences at 0 of i -> e^(i (i - 1) snr / 2)."""
    i = np.arange(highest + 1, dtype=float)
    size, sign = i * (i - 1) * snr / 2, np.ones(highest + 1)
    found = [0.0]
    for _ in range(highest):
        above, below = size[1:], size[:-1]
        opposite = sign[1:] == sign[:-1]  # of the two terms of a difference
        gap = np.exp(-np.abs(above - below))
        sign = np.where(above >= below, sign[1:], -sign[:-1])
        size = np.maximum(above, below) + np.log1p(np.where(opposite, -gap, gap))
        found.append(float(size[0]))
    return np.array(found)


def _tight_terms(snr: float, highest: int) -> np.ndarray:
    """Theorem 27's terms for j = 2 .. highest, in logarithms."""
    terms = _plain_terms(snr, highest)
    central = _log_central(snr, highest + 1)
    j = np.arange(3, highest + 1)
    terms[1:] = np.minimum(terms[1:], _LOG4 + (central[j // 2 * 2] + central[(j + 1) // 2 * 2]) / 2)
    return terms


def _theorem_9(setting: Setting) -> Value:
    q, delta, orders = float(setting.sample_rate), setting.delta, range(2, 65)
    if q == 1:
        rdp = {a: gaussian(setting.steps * setting.snr)(a) for a in orders}
    else:
        moments = _log_moments(q, orders, _plain_terms(setting.snr, orders[-1]))
        rdp = {a: setting.steps * float(m) / (a - 1) for a, m in zip(orders, moments, strict=True)}
    epsilon, order = min((mironov(a, rdp[a], delta), a) for a in orders)
    return Value(epsilon, f"order {order}")


def _theorem_27(setting: Setting) -> Value:
    q, steps, delta = float(setting.sample_rate), setting.steps, setting.delta

    def value(order: float, rdp: float) -> tuple[float, float]:
        return (0.0 if -math.expm1(-rdp) < delta**2 else balle(order, rdp, delta)), order

    if q == 1:
        rdp = gaussian(steps * setting.snr)
        candidates = [value(a, rdp(a)) for a in DP_ACCOUNTING]
    else:
        terms = _tight_terms(setting.snr, 63)
        moments = [0.0, 0.0, *map(float, _log_moments(q, range(2, 64), terms))]  # by order
        whole = [value(a, steps * moments[a] / (a - 1)) for a in range(2, 64)]
        parts = [(a, int(a)) for a in TENTHS if a != int(a)]
        mixed = [(a, (k + 1 - a) * moments[k] + (a - k) * moments[k + 1]) for a, k in parts]
        candidates = whole + [value(a, steps * moment / (a - 1)) for a, moment in mixed]
        if whole[-1] < whole[-2]:
            for orders, terms in (
                ((128, 256), _tight_terms(setting.snr, 256)),
                ((512, 1024), _plain_terms(setting.snr, 1024)),
            ):
                higher = _log_moments(q, orders, terms)
                candidates += [
                    value(a, steps * float(m) / (a - 1)) for a, m in zip(orders, higher, strict=True)
                ]
    epsilon, order = min(candidates)
    return Value(epsilon, f"order {order:g}")


FORMULAS = (
    Formula(
        "without-replacement",
        cause="without-replacement",
        kind=BOUND,
        symbols="min over a of T log(1 + sum of q^j C(a,j) 2 e^(j(j-1)/(2 s^2)))/(a-1) + log(1/d)/(a-1)",
        source="arXiv 1808.00087, Theorem 9",
        worth="valid for Poisson; made for batches of fixed size",
        evaluate=_theorem_9,
        rank=25,
    ),
    Formula(
        "without-replacement-dp-accounting",
        cause="without-replacement",
        kind=BOUND,
        symbols="Theorem 27's sum over j, + log((a-1)/a) - log(a d)/(a-1)",
        source="dp-accounting 0.6.0, SampledWithoutReplacementDpEvent",
        worth="valid for Poisson; made for batches of fixed size",
        evaluate=_theorem_27,
        rank=24,
    ),
)
