"""The moments bound of Abadi et al. 2016 (arXiv 1607.00133, Lemma 3) in closed form, its remainder left out.

Moment lambda = 1 .. 32 of a step at most q^2 lambda (lambda + 1) / ((1 - q) s^2) (+ O(q^3 lambda^3 / s^3)), epsilon =
min over lambda of (T moment + log(1/d)) / lambda (Theorem 2 there). The lemma asks for s >= 1, q < 1/(16 s) and
lambda <= s^2 log(1/(q s)); no bound beyond, and none without the remainder.
"""

import math

from refdp.audit.formulas._base import NOT_A_BOUND, Formula, Setting, Value, refused


def evaluate(setting: Setting) -> Value:
    q, s = float(setting.sample_rate), float(setting.noise_multiplier)
    if q == 1:
        return refused("it divides by 1 - q")
    step = q * q * setting.snr / (1 - q)
    values = [(setting.steps * step * (k + 1) + setting.log_inverse_delta / k, k) for k in range(1, 33)]
    epsilon, best = min(values)
    holds = s >= 1 and q * 16 * s < 1 and best <= s * s * -math.log(q * s)
    return Value(epsilon, f"lambda {best}" + ("" if holds else ", outside the lemma's conditions"))


FORMULAS = (
    Formula(
        "abadi-lemma-3",
        cause="moments-lemma",
        kind=NOT_A_BOUND,
        symbols="min over l = 1..32 of (T q^2 l (l+1)/((1-q) s^2) + log(1/d))/l",
        source="arXiv 1607.00133, Lemma 3 and Theorem 2",
        worth="conditions and remainder left out; near the truth only for small q and s >= 1",
        evaluate=evaluate,
        rank=40,
    ),
)
