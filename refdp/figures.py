"""Bounds as printed figures and as JSON: six digits, rounded to the safe side."""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal


def _figure(value: float | None, rounding: str) -> str:
    if value is None or math.isinf(value) or value == 0:
        return "unknown" if value is None else f"{value:g}"
    exact = Decimal(value)
    digits = Context(prec=6, rounding=rounding).plus(exact)
    return (
        f"{digits:f}".rstrip("0").rstrip(".")
        if 1e-5 < abs(value) < 1e7 and "." in f"{digits:f}"
        else f"{digits:g}"
    )


def upper_figure(value: float | None) -> str:
    """Six significant digits, rounded up: an upper bound never prints below itself."""
    return _figure(value, ROUND_CEILING)


def lower_figure(value: float | None) -> str:
    """Six significant digits, rounded down."""
    return _figure(value, ROUND_FLOOR)
