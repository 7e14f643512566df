"""Renyi DP of the Poisson-sampled Gaussian as Opacus reports it.

One step's Renyi divergence is exact (Mironov, Talwar, Zhang 2019, arXiv 1908.10530, section 3.3), the orders are
1.1, 1.2, .. 10.9, 12, 13, .. 63 (``RDPAccountant.DEFAULT_ALPHAS``), the conversion is arXiv 1905.09982, Theorem 21
(``get_privacy_spent``, Opacus 0.14 to 1.6). A valid bound, loose by the conversion and, where epsilon is small, by
the list's end: no number below log(1/d)/62 less a little can come out. Opacus' own float evaluation agrees to 1e-7
where it works; at tiny rates its fractional orders can be 0.
"""

from refdp.audit.formulas._base import BOUND, Formula, Setting, Value
from refdp.audit.formulas._grids import OPACUS, balle, best, poisson


def evaluate(setting: Setting) -> Value:
    return best(poisson(setting), OPACUS, balle, setting.delta)


FORMULAS = (
    Formula(
        "rdp-opacus",
        cause="order-grid",
        kind=BOUND,
        symbols="min over a of T R_a + log((a-1)/a) - log(a d)/(a-1)",
        source="Opacus 1.6.0, RDPAccountant.get_epsilon",
        worth="valid; orders end at 63",
        evaluate=evaluate,
        rank=10,
    ),
)
