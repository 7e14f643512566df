"""Truncated concentrated DP: rho = 13 q^2 T / (2 s^2), epsilon = rho + 2 sqrt(rho log(1/d)).

Bun, Dwork, Rothblum, Steinke 2018 ("Composable and versatile privacy via truncated CDP": amplification by subsampling
and conversion), with omega = log(1/q) s^2 / 2. A bound if q <= 0.1, each step's r = 1/(2 s^2) is at most
0.1, log(1/q) >= 3 r (2 + log2(1/r)) and d >= exp(-(omega - 1)^2 rho); used without looking at these elsewhere.
"""

import math

from refdp.audit.formulas._base import NOT_A_BOUND, Formula, Setting, Value


def _holds(setting: Setting, rho: float) -> bool:
    q, r = float(setting.sample_rate), setting.snr / 2
    if not (q <= 0.1 and 0 < r <= 0.1 and -math.log(q) >= 3 * r * (2 + math.log2(1 / r))):
        return False
    omega = -math.log(q) / (4 * r)
    return omega > 1 and setting.log_inverse_delta <= (omega - 1) ** 2 * rho


def evaluate(setting: Setting) -> Value:
    rho = 13 * setting.sample_rate**2 * setting.steps * setting.snr / 2
    note = f"rho {rho:.6g}" + ("" if _holds(setting, rho) else ", outside the theorem's conditions")
    return Value(rho + 2 * math.sqrt(rho * setting.log_inverse_delta), note)


FORMULAS = (
    Formula(
        "tcdp",
        cause="concentrated",
        kind=NOT_A_BOUND,
        symbols="rho + 2 sqrt(rho log(1/d)), rho = 13 q^2 T/(2 s^2)",
        source="Bun, Dwork, Rothblum, Steinke 2018",
        worth="a bound under its conditions only, and then loose",
        evaluate=evaluate,
        rank=42,
    ),
)
