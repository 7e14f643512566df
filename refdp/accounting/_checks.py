"""Argument checks with one wording. NaN passes none of them; a bool is not a number."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

from refdp.accounting.errors import AccountingError


def number(name: str, value: Any, rule: str) -> float:
    """The value as a float; anything that is no real number, or NaN, is refused with the rule."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise AccountingError(f"{name} = {value!r}: {rule}")
    try:
        result = float(value)
    except OverflowError:  # an integer or fraction beyond every float
        raise AccountingError(f"{name}: a number beyond 1.8e308 was given: {rule}") from None
    if math.isnan(result):
        raise AccountingError(f"{name} = {value!r}: {rule}")
    return result


def probability(name: str, value: Any) -> float:
    """A number in [0, 1]."""
    rule = "must be in [0, 1]"
    result = number(name, value, rule)
    if not 0 <= result <= 1:
        raise AccountingError(f"{name} = {value!r}: {rule}")
    return result


def open_unit(name: str, value: Any) -> float:
    """A number strictly between 0 and 1, as delta must be."""
    rule = "must be > 0 and < 1"
    result = number(name, value, rule)
    if not 0 < result < 1:
        raise AccountingError(f"{name} = {value!r}: {rule}")
    return result


def non_negative(name: str, value: Any) -> float:
    """A finite number >= 0."""
    rule = "must be finite and >= 0"
    result = number(name, value, rule)
    if not 0 <= result < math.inf:
        raise AccountingError(f"{name} = {value!r}: {rule}")
    return result


def positive(name: str, value: Any) -> float:
    """A finite number > 0."""
    rule = "must be finite and > 0"
    result = number(name, value, rule)
    if not 0 < result < math.inf:
        raise AccountingError(f"{name} = {value!r}: {rule}")
    return result


def whole(name: str, value: Any, minimum: int = 0, maximum: int = 10**12) -> int:
    """An integer in [minimum, maximum]; 2.5 and 2.0 are refused alike."""
    rule = f"must be a whole number from {minimum} to {maximum:,}"
    if isinstance(value, bool) or not isinstance(value, Integral) or not minimum <= int(value) <= maximum:
        raise AccountingError(f"{name} = {value!r}: {rule}")
    return int(value)


def option(name: str, value: Any, options: tuple[str, ...]) -> str:
    """One of the names."""
    if not isinstance(value, str) or value not in options:
        raise AccountingError(f"{name} = {value!r}: must be one of {', '.join(options)}")
    return str(value)
