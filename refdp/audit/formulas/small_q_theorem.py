"""Closed forms with a proof under conditions, c q^2 a / s^2 for a sampled step, used without them.

small-q-theorem-2       c = 2: Mironov, Talwar, Zhang 2019 (arXiv 1908.10530, Theorem 11), for q <= 1/5, s >= 4 and
                        orders up to about s^2 log(1 + 1/(q (a - 1))) / 2 - 2 log(s)
small-q-theorem-3.5     c = 3.5: derived from Wang, Balle, Kasiviswanathan 2019 (arXiv 1808.00087) and common in
                        federated learning, for s^2 >= 0.7 and a <= (2/3) s^2 log(1/(q a (1 + s^2))) + 1
Over all real orders with mironov2017, that is rho + 2 sqrt(rho log(1/d)), rho = c T q^2 / s^2.
"""

import math
from collections.abc import Callable

from refdp.audit.formulas._base import NOT_A_BOUND, Formula, Setting, Value


def _theorem_2(setting: Setting, order: float) -> bool:
    q, s = float(setting.sample_rate), float(setting.noise_multiplier)
    if q > 0.2 or s < 4:
        return False
    room = math.log1p(1 / (q * (order - 1)))
    return order <= s * s * room / 2 - 2 * math.log(s) and order <= (
        s * s * room * room / 2 - math.log(5) - 2 * math.log(s)
    ) / (room + math.log(q * order) + 1 / (2 * s * s))


def _theorem_35(setting: Setting, order: float) -> bool:
    q, square = float(setting.sample_rate), float(setting.noise_multiplier) ** 2
    return square >= 0.7 and order - 1 <= -2 / 3 * square * math.log(q * order * (1 + square))


def _with(constant: float, holds: Callable[[Setting, float], bool]) -> Callable[[Setting], Value]:
    def evaluate(setting: Setting) -> Value:
        rho = constant * setting.sample_rate**2 * setting.steps * setting.snr
        logs = setting.log_inverse_delta
        if not 0 < rho < math.inf:
            return Value(rho, "no order")
        order = 1 + math.sqrt(logs / rho)
        note = "" if holds(setting, order) else ", outside the theorem's conditions"
        return Value(rho + 2 * math.sqrt(rho * logs), f"order {order:.4g}{note}")

    return evaluate


FORMULAS = tuple(
    Formula(
        f"small-q-theorem-{constant:g}",
        cause="small-q-theorem",
        kind=NOT_A_BOUND,
        symbols=f"rho + 2 sqrt(rho log(1/d)), rho = {constant:g} q^2 T/s^2",
        source=source,
        worth="a bound under its conditions only, and then loose",
        evaluate=_with(constant, holds),
        rank=rank,
    )
    for constant, source, holds, rank in (
        (2.0, "arXiv 1908.10530, Theorem 11", _theorem_2, 40),
        (3.5, "derived from arXiv 1808.00087", _theorem_35, 41),
    )
)
