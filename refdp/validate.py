"""Argument checks with one wording: name, value, rule.

Each takes keyword arguments, so that the message names the argument as the caller wrote it:
``positive(clip_norm=-1)`` raises ``RefDPError('clip_norm = -1: must be finite and > 0')``.
Booleans are never numbers here, and NaN never passes any check.
"""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

from refdp.errors import RefDPError


def _real(name: str, value: Any, rule: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise RefDPError(f"{name} = {value!r}: {rule}")
    return float(value)


def positive(**values: Any) -> None:
    """Each value is a finite number > 0."""
    rule = "must be finite and > 0"
    for name, value in values.items():
        number = _real(name, value, rule)
        if not (math.isfinite(number) and number > 0):
            raise RefDPError(f"{name} = {value!r}: {rule}")


def non_negative(**values: Any) -> None:
    """Each value is a finite number >= 0."""
    rule = "must be finite and >= 0"
    for name, value in values.items():
        number = _real(name, value, rule)
        if not (math.isfinite(number) and number >= 0):
            raise RefDPError(f"{name} = {value!r}: {rule}")


def in_range(low: float, high: float, **values: Any) -> None:
    """Each value is a number in the closed interval [low, high]."""
    rule = f"must be in [{low:g}, {high:g}]"
    for name, value in values.items():
        number = _real(name, value, rule)
        if not low <= number <= high:
            raise RefDPError(f"{name} = {value!r}: {rule}")


def strictly_between(low: float, high: float, **values: Any) -> None:
    """Each value is a number in the open interval (low, high)."""
    rule = f"must be > {low:g} and < {high:g}"
    for name, value in values.items():
        number = _real(name, value, rule)
        if not low < number < high:
            raise RefDPError(f"{name} = {value!r}: {rule}")


def whole(minimum: int = 0, **values: Any) -> None:
    """Each value is an integer >= minimum (an int, not a float that happens to be whole)."""
    rule = f"must be a whole number >= {minimum}"
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < minimum:
            raise RefDPError(f"{name} = {value!r}: {rule}")


def one_of(options: tuple[str, ...], **values: Any) -> None:
    """Each value is one of the given names."""
    for name, value in values.items():
        if value not in options:
            raise RefDPError(f"{name} = {value!r}: must be one of {', '.join(options)}")
