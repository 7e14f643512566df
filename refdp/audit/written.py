"""Numbers as a document writes them: how many digits, and what half the last one is worth.

"3.00" says more than "3.0", and a multiplier written 1.61 may have been 1.608. JSON readers forget that; this one
does not.
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any

from refdp.errors import RefDPError

FEWEST, MOST = 3, 7  # significant digits of a number that may have been rounded for print


class Written(float):
    """A float that remembers its text."""

    text: str

    def __new__(cls, text: str) -> Written:
        self = super().__new__(cls, text)
        self.text = text.strip()
        return self

    def __repr__(self) -> str:
        return self.text

    def __reduce__(self) -> tuple[Any, ...]:
        return Written, (self.text,)


def text_of(value: float) -> str:
    """The text a number was written as; the shortest one that means it, where that is not known."""
    return value.text if isinstance(value, Written) else repr(value)


def _decimal(value: float) -> Decimal | None:
    try:
        number = Decimal(text_of(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def half_unit(value: float) -> float:
    """Half a unit of the last digit written; 0 for whole numbers without a point, which count something."""
    number = _decimal(value)
    if number is None or "." not in text_of(value):
        return 0.0
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    return float(Decimal(5).scaleb(exponent - 1))


def may_be_rounded(value: float) -> bool:
    """Whether it has the look of a printed figure: a point and 3 to 7 significant digits.

    Shorter ones (1.1, 0.5, 3.0) are typed as they are, longer ones are a program's own.
    """
    number = _decimal(value)
    if number is None or "." not in text_of(value):
        return False
    return FEWEST <= len(number.as_tuple().digits) <= MOST


def parse_json(text: str, what: str) -> Any:
    """JSON with its decimals as ``Written``; NaN, infinities and keys given twice are refused.

    Raises:
        RefDPError: one line, naming ``what``.
    """

    def no_constant(name: str) -> float:
        raise RefDPError(f"{what}: {name} is not a number that JSON allows; write a number")

    def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        document = dict(pairs)
        if len(document) != len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise RefDPError(f"{what}: {twice!r} is given twice; keep one")
        return document

    try:
        return json.loads(
            text, parse_float=Written, parse_constant=no_constant, object_pairs_hook=no_duplicates
        )
    except RefDPError:
        raise
    except (ValueError, RecursionError) as error:
        raise RefDPError(f"{what}: not JSON ({str(error)[:120]}); give a claim file") from None
