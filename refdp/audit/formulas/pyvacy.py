"""Exact Renyi DP at the one order that PyVacy's ternary search over [1, 512] ends at.

``pyvacy.analysis.moments_accountant``: thirds of [1, 512] until they are within 0.1, then the middle; conversion
mironov2017. A valid bound (any order is). It costs tightness where the best order is small.
"""

from refdp.audit.formulas._base import BOUND, Formula, Setting, Value
from refdp.audit.formulas._grids import mironov, poisson


def evaluate(setting: Setting) -> Value:
    rdp = poisson(setting)

    def epsilon(order: float) -> float:
        return mironov(order, rdp(order), setting.delta)

    left, right = 1.0, 512.0
    while not abs(right - left) < 0.1:
        low, high = left + (right - left) / 3, right - (right - left) / 3
        left, right = (left, high) if epsilon(low) < epsilon(high) else (low, right)
    order = (left + right) / 2
    return Value(epsilon(order), f"order {order:.6g}")


FORMULAS = (
    Formula(
        "pyvacy",
        cause="classic-conversion",
        kind=BOUND,
        symbols="T R_a + log(1/d)/(a-1), a by ternary search",
        source="PyVacy, moments_accountant",
        worth="valid; the loose conversion, an order to within 0.1",
        evaluate=evaluate,
        rank=26,
    ),
)
