"""The words for a sweep's numbers.

Bounds are rounded outwards (lower ones down, upper ones up), so that what is printed is still a bound.
"""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Context
from typing import Any

from refdp.sweep.records import CHOICES, number


def _three_digits(value: float, rounding: str) -> str:
    """Three significant digits, rounded as told: 3.85, 77.3, 284, 1.02e5."""
    if value == 0 or math.isinf(value):
        return "inf" if value else "0"
    short = Context(prec=3, rounding=rounding).create_decimal(repr(value))
    exponent = short.adjusted()
    if -4 < exponent < 4:
        return f"{short:.{max(0, 2 - exponent)}f}"
    return f"{short.scaleb(-exponent):.2f}e{exponent}"


def epsilon_text(epsilon: dict[str, Any]) -> str:
    """Both bounds in short: "3.10-3.43", "<= 3.43" without a lower one, ">= 3.10" without an upper one."""
    lower, upper = epsilon["lower"], epsilon["upper"]
    low = None if lower is None else _three_digits(number(lower), ROUND_FLOOR)
    high = None if upper is None else _three_digits(number(upper), ROUND_CEILING)
    if low is None:
        return "unknown" if high is None else "inf" if high == "inf" else f"<= {high}"
    if high is None:
        return f">= {low}"
    return low if low == high else f"{low}-{high}"


def upper_text(epsilon: dict[str, Any]) -> str:
    """The upper bound alone in short: "3.43", "inf", "unknown"."""
    upper = epsilon["upper"]
    return "unknown" if upper is None else _three_digits(number(upper), ROUND_CEILING)


def delta_text(delta: float) -> str:
    """1e-5, not 1e-05."""
    return f"{delta:g}".replace("e-0", "e-")


def noise_text(values: list[float], digits: int = 6) -> str:
    """A noise multiplier, "2.69128", or the range of several, rounded outwards: "2.69128-2.70212"."""
    low, high = min(values), max(values)
    if f"{low:.{digits}g}" == f"{high:.{digits}g}":
        return f"{low:.{digits}g}"
    rounding = {low: ROUND_FLOOR, high: ROUND_CEILING}
    ends = [float(Context(prec=digits, rounding=rounding[x]).create_decimal(repr(x))) for x in (low, high)]
    return "-".join(f"{end:.{digits}g}" for end in ends)


def setting_text(setting: dict[str, Any]) -> str:
    """What every epsilon of the sweep is about: "delta = 1e-5, add-remove, poisson".

    What the sweep chose beside (``CHOICES``) follows where it is not the default: ", schedule cosine:amplitude=0.5".
    """
    words = [f"delta = {delta_text(setting['delta'])}", setting["neighboring"], setting["sampling"]]
    for name, default in CHOICES.items():
        if setting.get(name) not in (None, default):
            words.append(f"{name.replace('_', '-')} {setting[name]}")
    return ", ".join(words)


def accuracy_text(cell: dict[str, Any]) -> str:
    """Mean and spread over seeds, "0.917 ±0.021"; the mean alone for one seed."""
    return f"{cell['mean']:.3f}" + ("" if cell["std"] is None else f" ±{cell['std']:.3f}")
