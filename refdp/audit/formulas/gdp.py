"""Gaussian DP: a total mu, and epsilon from the exact curve of the Gaussian mechanism at that mu.

gdp-clt-poisson     mu = q sqrt(T (e^(1/s^2) - 1)): the limit of many Poisson-sampled steps, Bu, Dong, Long, Su 2020
                    (arXiv 1911.11607); Opacus' GaussianAccountant (compute_mu_poisson)
gdp-clt-uniform     mu = sqrt(2) q sqrt(T (e^(1/s^2) Phi(3/(2s)) + 3 Phi(-1/(2s)) - 2)): the same for subsets of fixed
                    size; Opacus' compute_mu_uniform
gdp-naive           mu = q sqrt(T) / s: the first term of either for large s
No bounds: the limit is reached by no run, and the true tail is heavier. Far above the truth where e^(1/s^2) is huge.
Opacus looks for epsilon in [0, 500] only and raises beyond.
"""

import math
from collections.abc import Callable

from scipy.special import ndtr

from refdp.accounting.gaussian import gaussian_epsilon
from refdp.audit.formulas._base import ESTIMATE, NOT_A_BOUND, Formula, Setting, Value


def dual(mu: float, delta: float) -> Value:
    """Epsilon of mu-GDP at delta."""
    return Value(gaussian_epsilon(mu, delta)[1], f"mu {mu:.6g}")


def _poisson(setting: Setting) -> float:
    return setting.sample_rate * math.sqrt(setting.steps * math.expm1(setting.snr))


def _uniform(setting: Setting) -> float:
    h = 0.5 / setting.noise_multiplier
    # e^x Phi(3h) + 3 Phi(-h) - 2 = (e^x - 1) Phi(3h) + (Phi(3h) - 1/2) - 3 (Phi(h) - 1/2)
    excess = math.expm1(setting.snr) * ndtr(3 * h) + _bend(h)
    return setting.sample_rate * math.sqrt(2 * setting.steps * excess)


def _bend(h: float) -> float:
    """(Phi(3h) - 1/2) - 3 (Phi(h) - 1/2), by its Taylor series where that cancels."""
    if h < 0.01:
        return -(h**3) * (4 - 6 * h**2 + 6.5 * h**4) / math.sqrt(2 * math.pi)
    return (math.erf(3 * h / math.sqrt(2)) - 3 * math.erf(h / math.sqrt(2))) / 2


def _naive(setting: Setting) -> float:
    return setting.sample_rate * math.sqrt(setting.steps * setting.snr)


def _by(mu: Callable[[Setting], float]) -> Callable[[Setting], Value]:
    return lambda setting: dual(mu(setting), setting.delta)


FORMULAS = (
    Formula(
        "gdp-clt-poisson",
        cause="clt",
        kind=ESTIMATE,
        symbols="mu = q sqrt(T (e^(1/s^2) - 1))",
        source="arXiv 1911.11607; Opacus 1.6.0, GaussianAccountant",
        worth="the limit of many steps, mostly below the truth; huge under multiplier 0.5",
        evaluate=_by(_poisson),
        rank=10,
    ),
    Formula(
        "gdp-clt-uniform",
        cause="clt",
        kind=ESTIMATE,
        symbols="mu = sqrt(2) q sqrt(T (e^(1/s^2) Phi(1.5/s) + 3 Phi(-.5/s) - 2))",
        source="arXiv 1911.11607; Opacus 1.6.0, compute_mu_uniform",
        worth="the limit of many steps, for batches of fixed size",
        evaluate=_by(_uniform),
        rank=20,
    ),
    Formula(
        "gdp-naive",
        cause="naive-gdp",
        kind=NOT_A_BOUND,
        symbols="mu = q sqrt(T) / s",
        source="no theorem; the first term of arXiv 1911.11607 at large s",
        worth="below even the limit theorem",
        evaluate=_by(_naive),
        rank=30,
    ),
)
