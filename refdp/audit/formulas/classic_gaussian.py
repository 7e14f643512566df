"""The textbook Gaussian mechanism: one release costs epsilon_0 = sqrt(2 log(1.25/d)) / s.

Dwork and Roth 2014, Theorem A.1: for epsilon_0 < 1, and one release. Scaled to a run:
classic-gaussian            epsilon_0 sqrt(T)
classic-gaussian-sampled    epsilon_0 q sqrt(T)
classic-gaussian-one-step   epsilon_0: the run's steps forgotten
classic-gaussian-one-step-sampled   epsilon_0 q
The first is above the exact Gaussian curve where it is below 1, by Theorem A.1 at multiplier s / sqrt(T); the others
are no bounds.
"""

import math
from collections.abc import Callable

from refdp.audit.formulas._base import NOT_A_BOUND, Formula, Setting, Value


def _scaled(factor: Callable[[Setting], float]) -> Callable[[Setting], Value]:
    def evaluate(setting: Setting) -> Value:
        one = math.sqrt(2 * math.log(1.25 / setting.delta) * setting.snr)
        note = f"epsilon of one step {one:.6g}" + ("" if one < 1 else ", above 1: outside its theorem")
        return Value(one * factor(setting), note)

    return evaluate


def _formula(name: str, symbols: str, factor: Callable[[Setting], float], rank: int) -> Formula:
    return Formula(
        name,
        cause="one-step" if "one-step" in name else "classic-gaussian",
        kind=NOT_A_BOUND,
        symbols=f"sqrt(2 log(1.25/d)) {symbols}/ s",
        source="Dwork and Roth 2014, Theorem A.1",
        worth="one release and epsilon < 1 only",
        evaluate=_scaled(factor),
        rank=rank,
    )


FORMULAS = (
    _formula("classic-gaussian", "sqrt(T) ", lambda x: math.sqrt(x.steps), 40),
    _formula("classic-gaussian-sampled", "q sqrt(T) ", lambda x: x.sample_rate * math.sqrt(x.steps), 41),
    _formula("classic-gaussian-one-step", "", lambda x: 1.0, 42),
    _formula("classic-gaussian-one-step-sampled", "q ", lambda x: x.sample_rate, 43),
)
