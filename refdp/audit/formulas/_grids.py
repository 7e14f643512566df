"""Lists of Renyi orders that tools use, and the least epsilon on one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

from refdp.accounting import rdp_poisson_gaussian
from refdp.audit.formulas._base import Setting, Value

TENTHS = tuple(1 + x / 10 for x in range(1, 100))
OPACUS = (*TENTHS, *(float(a) for a in range(12, 64)))  # 0.9 to 1.6: no 11
DP_ACCOUNTING = (*TENTHS, *(float(a) for a in range(11, 64)), 128.0, 256.0, 512.0, 1024.0)
TF_PRIVACY = (
    *(1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 3.0, 3.5, 4.0, 4.5),
    *(float(a) for a in range(5, 64)),
    *(128.0, 256.0, 512.0),
)


@lru_cache(maxsize=8192)
def _rdp(sample_rate: float, noise_multiplier: float, order: float) -> float:
    return float(rdp_poisson_gaussian(sample_rate, noise_multiplier, order)[0])


def poisson(setting: Setting) -> Callable[[float], float]:
    """Renyi DP of all the steps, as a function of the order."""
    q, sigma, steps = float(setting.sample_rate), float(setting.noise_multiplier), float(setting.steps)
    return lambda order: steps * _rdp(q, sigma, order)


def gaussian(snr: float) -> Callable[[float], float]:
    """a * snr / 2: Renyi DP of the Gaussian mechanism with that signal-to-noise ratio."""
    return lambda order: order * snr / 2


Conversion = Callable[[float, float, float], float]


def mironov(order: float, rdp: float, delta: float) -> float:
    """rdp + log(1/d) / (a - 1): arXiv 1702.07476, Proposition 3."""
    return rdp - math.log(delta) / (order - 1)


def log_ratio(order: float, rdp: float, delta: float) -> float:
    """rdp + log(1/d) / (a - 1) + log((a - 1) / a): ``balle`` without its - log(a) / (a - 1). Valid, looser."""
    return rdp - math.log(delta) / (order - 1) + math.log1p(-1 / order)


def balle(order: float, rdp: float, delta: float) -> float:
    """rdp + log((a - 1) / a) - log(a d) / (a - 1): arXiv 1905.09982, Theorem 21; 2004.00010, Proposition 12."""
    return rdp - (math.log(delta) + math.log(order)) / (order - 1) + math.log1p(-1 / order)


def best(rdp: Callable[[float], float], orders: Sequence[float], convert: Conversion, delta: float) -> Value:
    """The least epsilon over increasing ``orders``; ``rdp`` must be (a - 1)^-1 times a convex function of a.

    Then (a - 1) epsilon(a) is convex for each conversion here and epsilon falls, then rises: bisection finds it.
    """
    low, high = 0, len(orders) - 1
    while low < high:
        middle = (low + high) // 2
        here, after = (convert(orders[i], rdp(orders[i]), delta) for i in (middle, middle + 1))
        # both infinite: the order is too large
        low, high = (middle + 1, high) if after < here else (low, middle)
    epsilon = convert(orders[low], rdp(orders[low]), delta)
    end = ", the largest of its list" if low == len(orders) - 1 else ""
    return Value(epsilon, f"order {orders[low]:g}{end}")
