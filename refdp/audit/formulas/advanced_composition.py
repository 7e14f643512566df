"""Amplification by sampling, then advanced composition (Dwork, Rothblum, Vadhan 2010; Dwork and Roth, Theorem 3.20).

A step: e_0 = sqrt(2 log(1.25/d_0)) / s, e = log(1 + q (exp(e_0) - 1)), delta q d_0. All: epsilon = sqrt(2 T log(1/d'))
e + T e (exp(e) - 1), delta T q d_0 + d'. How delta is split:
advanced-composition            d' = d/2 and d_0 = d/(2 T q): a bound where e_0 < 1, as Theorem A.1 asks
advanced-composition-naive      d' = d_0 = d: no bound at d
"""

import math

from refdp.audit.formulas._base import NOT_A_BOUND, Formula, Setting, Value
from refdp.audit.formulas.basic_composition import amplified


def _compose(setting: Setting, log_step: float, log_slack: float) -> Value:
    """``log_step``: log(1/d_0); ``log_slack``: log(1/d')."""
    q, steps = float(setting.sample_rate), float(setting.steps)
    one = math.sqrt(2 * (math.log(1.25) + log_step) * setting.snr)
    e = amplified(one, q)
    epsilon = math.sqrt(2 * steps * log_slack) * e + steps * e * math.expm1(e)
    return Value(
        epsilon, f"epsilon of one step {one:.6g}" + ("" if one < 1 else ", above 1: outside its theorem")
    )


def _halves(setting: Setting) -> Value:
    slack = setting.log_inverse_delta + math.log(2)
    share = slack + math.log(setting.steps) + math.log(setting.sample_rate)
    return _compose(setting, max(share, math.log(2)), slack)  # a step's delta of at most 1/2


def _naive(setting: Setting) -> Value:
    return _compose(setting, setting.log_inverse_delta, setting.log_inverse_delta)


_SYMBOLS = "sqrt(2 T log(1/d')) e + T e (exp(e) - 1), e = log(1 + q (exp(sqrt(2 log(1.25/d0))/s) - 1))"
FORMULAS = (
    Formula(
        "advanced-composition",
        cause="advanced-composition",
        kind=NOT_A_BOUND,
        symbols=f"{_SYMBOLS}, d' = d/2, d0 = d/(2Tq)",
        source="Dwork, Rothblum, Vadhan 2010; Dwork and Roth 2014, Theorem 3.20",
        worth="a bound where the step's epsilon is below 1, far too large; none beyond",
        evaluate=_halves,
        rank=50,
    ),
    Formula(
        "advanced-composition-naive",
        cause="advanced-composition",
        kind=NOT_A_BOUND,
        symbols=f"{_SYMBOLS}, d' = d0 = d",
        source="Dwork and Roth 2014, Theorem 3.20, delta not split",
        worth="its delta is not d",
        evaluate=_naive,
        rank=51,
    ),
)
