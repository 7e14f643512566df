"""epsilon = c q sqrt(T log(1/d)) / s: Abadi et al. 2016 (arXiv 1607.00133, Theorem 1) with a constant of one's choice.

The theorem says that constants c1 and c2 exist such that s >= c2 q sqrt(T log(1/d)) / epsilon suffices for
epsilon < c1 q^2 T. It gives neither; 1, sqrt(2) and 2 are what is written in their place.
"""

import math
from collections.abc import Callable

from refdp.audit.formulas._base import NOT_A_BOUND, Formula, Setting, Value


def _times(constant: float) -> Callable[[Setting], Value]:
    def evaluate(setting: Setting) -> Value:
        size = setting.sample_rate * math.sqrt(setting.steps * setting.log_inverse_delta * setting.snr)
        return Value(constant * size, f"constant {constant:.4g}")

    return evaluate


FORMULAS = tuple(
    Formula(
        f"abadi-asymptotic-{text}",
        cause="asymptotic",
        kind=NOT_A_BOUND,
        symbols=f"{symbol}q sqrt(T log(1/d)) / s",
        source="arXiv 1607.00133, Theorem 1, the constant chosen",
        worth="an order of growth; the constant is nobody's",
        evaluate=_times(constant),
        rank=40 + place,
    )
    for place, (text, symbol, constant) in enumerate(
        [("1", "", 1.0), ("sqrt2", "sqrt(2) ", math.sqrt(2)), ("2", "2 ", 2.0)]
    )
)
