"""Exact Renyi DP of the Poisson-sampled Gaussian at the best real order: refdp's own ``rdp``.

rdp-best-order          conversion balle2020, refdp's default
rdp-best-order-mironov  conversion mironov2017
Valid bounds, loose by the conversion alone.
"""

from refdp.accounting.orders import minimise_over_orders
from refdp.audit.formulas._base import BOUND, Formula, Setting, Value
from refdp.audit.formulas._grids import Conversion, balle, mironov, poisson


def _with(name: str, convert: Conversion, cause: str, tail: str, rank: int) -> Formula:
    def evaluate(setting: Setting) -> Value:
        rdp = poisson(setting)
        found = minimise_over_orders(lambda order: convert(order, rdp(order), setting.delta))
        return Value(found.value, f"order {found.order:.6g}")

    return Formula(
        name,
        cause=cause,
        kind=BOUND,
        symbols=f"min over real a of T R_a + {tail}",
        source="refdp epsilon --accountant rdp",
        worth="valid; loose by the conversion alone",
        evaluate=evaluate,
        rank=rank,
    )


FORMULAS = (
    _with("rdp-best-order", balle, "renyi", "log((a-1)/a) - log(a d)/(a-1)", 14),
    _with("rdp-best-order-mironov", mironov, "classic-conversion", "log(1/d)/(a-1)", 27),
)
