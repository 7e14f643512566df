"""A without-replacement Renyi bound cut after its second-order term, as the published noise x clipping sweep used it.

R_a = log(1 + q^2 C(floor a, 2) min(4 (e^(1/s^2) - 1), e^((a-1)/s^2) - 1)) / (a - 1), and q^2 a / (2 s^2) where
(a - 1)/s^2 > 500; conversion mironov2017; orders 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96,
128, 256, 512, 1024 (``compute_epsilon_rdp`` of that program; read in a public repository, and its seven published
epsilons are reproduced to the last digits). No bound: Wang, Balle, Kasiviswanathan 2019 (arXiv 1808.00087, Theorem 9)
sums positive terms to order a, and C(1, 2) = 0 makes R_a = 0 at 1.25 and 1.5, so that epsilon cannot exceed
2 log(1/d) while no exponent there passes 500.
"""

import math

from refdp.audit.formulas._base import NOT_A_BOUND, Formula, Setting, Value
from refdp.audit.formulas._grids import mironov

_ORDERS = (1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96, 128, 256, 512, 1024)


def _step(setting: Setting, order: float) -> tuple[float, str]:
    q, snr = float(setting.sample_rate), setting.snr
    if q == 1:
        return order * snr / 2, ""
    exponent = (order - 1) * snr
    if exponent > 500:
        return q * q * order * snr / 2, ": q^2 a/(2 s^2)"
    pairs = math.comb(int(order), 2)
    inner = min(4 * math.expm1(snr), math.expm1(exponent))
    return math.log1p(q * q * pairs * inner) / (order - 1), "" if pairs else ": RDP taken as 0"


def evaluate(setting: Setting) -> Value:
    values = []
    for order in _ORDERS:
        rdp, branch = _step(setting, order)
        values.append(Value(mironov(order, setting.steps * rdp, setting.delta), f"order {order:g}{branch}"))
    return min(values, key=lambda value: value.epsilon)


FORMULAS = (
    Formula(
        "truncated-second-term",
        cause="truncated-bound",
        kind=NOT_A_BOUND,
        symbols="min over a of T log(1 + q^2 C(a,2) min(4(e^(1/s^2)-1), e^((a-1)/s^2)-1))/(a-1) + log(1/d)/(a-1)",
        source="a published noise x clipping sweep, compute_epsilon_rdp",
        worth="all terms but one of a sum left out: far below the truth at multipliers under about 5",
        evaluate=evaluate,
        rank=30,
    ),
)
