"""Refusals in one line, whatever the value that is refused."""

from __future__ import annotations

import math
import reprlib
from numbers import Integral, Real
from typing import Any

from refdp.accounting import NEIGHBORING
from refdp.errors import RefDPError

LONGEST = 600
_QUOTER = reprlib.Repr()  # one object may be in itself a million times over
_QUOTER.maxlevel = 2


def short(value: Any, longest: int = 60) -> str:
    """How a value is quoted: its repr, cut; never an exception, never a second line, never for long."""
    if isinstance(value, list | tuple | dict | set) and len(value) > 8:
        return f"a {type(value).__name__} of {len(value):,}"
    if isinstance(value, str | bytes):
        value = value[: longest + 1]
    try:
        text = _QUOTER.repr(value) if isinstance(value, list | tuple | dict | set) else repr(value)
    except Exception:  # an integer of too many digits, an object that cannot show itself
        text = f"a {type(value).__name__}"
    text = one_line(text)
    return text if len(text) <= longest else f"{text[:longest]}..."


def one_line(text: str) -> str:
    """The text without line breaks and control characters, of bounded length."""
    text = "".join(c if c.isprintable() else " " for c in text[: 2 * LONGEST])
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def real(name: str, value: Any, rule: str) -> float:
    """A number as a float; numpy's are numbers, booleans and NaN are not."""
    if type(value) is not float and (isinstance(value, bool) or not isinstance(value, Real)):
        raise RefDPError(f"{name} = {short(value)}: {rule}")
    try:
        number = float(value)
    except OverflowError:
        raise RefDPError(f"{name}: a number beyond 1.8e308 was given: {rule}") from None
    if math.isnan(number):
        raise RefDPError(f"{name} = {short(value)}: {rule}")
    return number


def multiplier(value: Any, where: str = "") -> float:
    """A noise multiplier: finite and >= 0 (0 is decided: epsilon is infinite)."""
    rule = "must be a finite number >= 0, the noise's standard deviation on the sum / clip norm"
    number = real(f"{where}noise_multiplier", value, rule)
    if not 0 <= number < math.inf:
        raise RefDPError(f"{where}noise_multiplier = {short(value)}: {rule}")
    return number


def rate(value: Any, where: str = "", name: str = "sample_rate") -> float:
    """A sample rate in [0, 1]."""
    rule = "must be in [0, 1], a record's chance to be in a step's batch"
    number = real(f"{where}{name}", value, rule)
    if not 0 <= number <= 1:
        raise RefDPError(f"{where}{name} = {short(value)}: {rule}")
    return number


def whole(name: str, value: Any, minimum: int = 0, maximum: int = 10**12) -> int:
    """A whole number in the range; 2.5, 2.0 and True are refused alike."""
    if (
        isinstance(value, bool)
        or not isinstance(value, Integral)
        or not minimum <= (number := int(value)) <= maximum
    ):
        raise RefDPError(
            f"{name} = {short(value)}: must be a whole number from {minimum} to {maximum:,}, written without a point"
        )
    return number


def relation(neighboring: str | None, default: str) -> str:
    """The relation asked for, or else the default; an unknown one is refused."""
    chosen = default if neighboring is None else neighboring
    if not isinstance(chosen, str) or chosen not in NEIGHBORING:
        raise RefDPError(f"neighboring = {short(chosen)}: must be one of {', '.join(NEIGHBORING)}")
    return chosen
