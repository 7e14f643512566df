"""zCDP with sampling taken to multiply rho by q^2: rho = q^2 T / (2 s^2), epsilon = rho + 2 sqrt(rho log(1/d)).

The conversion is Bun and Steinke 2016 (arXiv 1605.02065, Proposition 1.3). Sampling does not preserve zCDP: there is
no such rho at all. It is ``small-q-rdp-mironov`` at the best real order.
"""

import math

from refdp.audit.formulas._base import NOT_A_BOUND, Formula, Setting, Value


def evaluate(setting: Setting) -> Value:
    rho = setting.sample_rate**2 * setting.steps * setting.snr / 2
    return Value(rho + 2 * math.sqrt(rho * setting.log_inverse_delta), f"rho {rho:.6g}")


FORMULAS = (
    Formula(
        "zcdp-q-squared",
        cause="small-q-rdp",
        kind=NOT_A_BOUND,
        symbols="rho + 2 sqrt(rho log(1/d)), rho = q^2 T/(2 s^2)",
        source="arXiv 1605.02065, Proposition 1.3, with q^2 put in",
        worth="sampled steps have no rho: far below the truth at multipliers under about 1",
        evaluate=evaluate,
        rank=35,
    ),
)
