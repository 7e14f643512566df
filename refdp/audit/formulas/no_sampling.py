"""The Gaussian mechanism composed without amplification by sampling, by several ways of accounting.

gaussian-no-sampling    the exact curve at mu = sqrt(T) / s (Balle and Wang 2018, arXiv 1805.06530, Theorem 8; the
                        same as Dong, Roth, Su 2019, arXiv 1905.02383: Gaussian DP composed)
zcdp-no-sampling        rho = T / (2 s^2), epsilon = rho + 2 sqrt(rho log(1/d)) (Bun and Steinke 2016, arXiv
                        1605.02065, Proposition 1.3)
rdp-no-sampling         T a / (2 s^2) on Opacus' orders with balle2020
rdp-no-sampling-mironov the same with mironov2017
Valid for Poisson-sampled steps, which are post-processing of unsampled ones: far too large. They are right where
every record takes part in every step, and one T stands for the epochs where batches are shuffled.
"""

import math
from functools import partial

from refdp.audit.formulas._base import BOUND, Formula, Setting, Value
from refdp.audit.formulas._grids import OPACUS, Conversion, balle, best, gaussian, mironov
from refdp.audit.formulas.gdp import dual


def _curve(setting: Setting) -> Value:
    return dual(math.sqrt(setting.steps * setting.snr), setting.delta)


def _zcdp(setting: Setting) -> Value:
    rho = setting.steps * setting.snr / 2
    return Value(rho + 2 * math.sqrt(rho * setting.log_inverse_delta), f"rho {rho:.6g}")


def _rdp(setting: Setting, convert: Conversion) -> Value:
    return best(gaussian(setting.steps * setting.snr), OPACUS, convert, setting.delta)


def _plain(setting: Setting) -> Value:
    return _rdp(setting, balle)


_formula = partial(Formula, cause="no-sampling", kind=BOUND, worth="valid; no amplification by sampling")
FORMULAS = (
    _formula(
        "gaussian-no-sampling",
        symbols="mu = sqrt(T) / s",
        source="arXiv 1805.06530, Theorem 8",
        evaluate=_curve,
        rank=10,
    ),
    _formula(
        "zcdp-no-sampling",
        symbols="rho + 2 sqrt(rho log(1/d)), rho = T/(2 s^2)",
        source="arXiv 1605.02065, Proposition 1.3",
        evaluate=_zcdp,
        rank=11,
    ),
    _formula(
        "rdp-no-sampling",
        symbols="min over a of T a/(2 s^2) + log((a-1)/a) - log(a d)/(a-1)",
        source="Opacus 1.6.0, RDPAccountant at sample rate 1",
        evaluate=_plain,
        rank=12,
    ),
    _formula(
        "rdp-no-sampling-mironov",
        symbols="min over a of T a/(2 s^2) + log(1/d)/(a-1)",
        source="arXiv 1702.07476, Proposition 3",
        evaluate=partial(_rdp, convert=mironov),
        rank=13,
    ),
)
