"""Steps times the epsilon of a step, epsilon_0 = sqrt(2 log(1.25/d)) / s (Dwork and Roth 2014, Theorem A.1).

basic-composition               T epsilon_0
basic-composition-q             T q epsilon_0
basic-composition-amplified     T log(1 + q (e^epsilon_0 - 1)) (amplification: Li, Qardaji, Su 2012; Balle, Barthe,
                                Gaboardi 2018, arXiv 1807.01647)
The whole delta is given to each step, so that the total delta is T q d, or T d: no bounds at d. They are mostly far
above the truth all the same.
"""

import math
from collections.abc import Callable

from refdp.audit.formulas._base import NOT_A_BOUND, Formula, Setting, Value


def amplified(one: float, q: float) -> float:
    """log(1 + q (e^one - 1)), the epsilon of a step that uses each record with probability q."""
    if one > 700:
        return one + math.log(q)
    return math.log1p(q * math.expm1(one))


def _times(step: Callable[[float, float], float]) -> Callable[[Setting], Value]:
    def evaluate(setting: Setting) -> Value:
        one = math.sqrt(2 * math.log(1.25 / setting.delta) * setting.snr)
        return Value(setting.steps * step(one, float(setting.sample_rate)), f"epsilon of one step {one:.6g}")

    return evaluate


def _formula(name: str, symbols: str, step: Callable[[float, float], float], rank: int) -> Formula:
    return Formula(
        name,
        cause="basic-composition",
        kind=NOT_A_BOUND,
        symbols=f"{symbols}, e = sqrt(2 log(1.25/d)) / s",
        source="Dwork and Roth 2014, Theorems A.1 and 3.16",
        worth="its delta is not d; mostly far too large all the same",
        evaluate=_times(step),
        rank=rank,
    )


FORMULAS = (
    _formula("basic-composition", "T e", lambda one, q: one, 51),
    _formula("basic-composition-q", "T q e", lambda one, q: q * one, 50),
    _formula("basic-composition-amplified", "T log(1 + q (exp(e) - 1))", amplified, 52),
)
