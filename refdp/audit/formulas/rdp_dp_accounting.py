"""Renyi DP of the Poisson-sampled Gaussian as dp-accounting reports it.

Orders 1.1, 1.2, .. 10.9, 11, 12, .. 63, 128, 256, 512, 1024 (``DEFAULT_RDP_ORDERS``), conversion arXiv 2004.00010,
Proposition 12, with epsilon = 0 where delta^2 > 1 - e^-rdp (``compute_epsilon``, dp-accounting 0.6.0). Integer orders
are exact. Fractional ones add up the absolute values of the alternating series of arXiv 1908.10530, section 3.3
(``_compute_log_a_frac``): too large, by far at high rates, and infinite where 1,000 terms do not settle. A valid bound.
"""

import math

import numpy as np
from scipy.special import gammaln, log_ndtr

from refdp.audit.formulas._base import BOUND, Formula, Setting, Value
from refdp.audit.formulas._grids import DP_ACCOUNTING, balle, best, poisson

_TERMS = 1000
_INTEGERS = tuple(a for a in DP_ACCOUNTING if a == int(a))
_FRACTIONS = tuple(a for a in DP_ACCOUNTING if a != int(a))


def _log_moment(q: float, sigma: float, order: float) -> float:
    """log of the series' absolute sum up to where its terms fall below e^-30 of it; inf if they do not."""
    i = np.arange(_TERMS, dtype=float)
    j = order - i
    log_binomial = gammaln(order + 1) - gammaln(i + 1) - gammaln(j + 1)
    split = sigma**2 * math.log(1 / q - 1) + 0.5
    log_q, log_p, twice = math.log(q), math.log1p(-q), 2 * sigma**2
    below = log_binomial + i * log_q + j * log_p + i * (i - 1) / twice + log_ndtr((split - i) / sigma)
    above = log_binomial + j * log_q + i * log_p + j * (j - 1) / twice + log_ndtr((j - split) / sigma)
    total = np.logaddexp.accumulate(np.logaddexp(below, above))
    falling = (np.diff(below, prepend=-np.inf) < 0) & (np.diff(above, prepend=-np.inf) < 0)
    settled = np.flatnonzero(falling & (np.maximum(below, above) < total - 30))
    return float(total[settled[0]]) if settled.size else math.inf


def evaluate(setting: Setting) -> Value:
    q, sigma, delta = float(setting.sample_rate), float(setting.noise_multiplier), setting.delta
    exact = poisson(setting)
    found = best(exact, _INTEGERS, balle, delta)
    order = float(found.note.split()[1].rstrip(","))
    candidates = [(found.epsilon, found.note)]
    # inflated values never win outside the integers beside the best one, where even exact ones would not
    for fraction in (a for a in _FRACTIONS if abs(a - order) < 1 or order == 2 > a):
        rdp = exact(fraction) if q == 1 else setting.steps * _log_moment(q, sigma, fraction) / (fraction - 1)
        candidates.append((balle(fraction, rdp, delta), f"order {fraction:g}"))
    if -math.expm1(-exact(1.1)) < delta**2 or -math.expm1(-exact(2.0)) < delta**2:
        return Value(0.0, "delta^2 > 1 - exp(-rdp)")
    return Value(*min(candidates))


FORMULAS = (
    Formula(
        "rdp-dp-accounting",
        cause="order-grid",
        kind=BOUND,
        symbols="min over a of T R_a + log((a-1)/a) - log(a d)/(a-1)",
        source="dp-accounting 0.6.0, RdpAccountant.get_epsilon",
        worth="valid; orders end at 1024, fractional ones too large",
        evaluate=evaluate,
        rank=11,
    ),
)
