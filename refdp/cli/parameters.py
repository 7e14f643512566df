"""Types of option values: each refuses what its option cannot mean, and says the rule."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import click


class Number(click.ParamType):
    """A real number under a rule."""

    def __init__(self, rule: str, accept: Callable[[float], bool]) -> None:
        self.name = "number"
        self.rule, self._accept = rule, accept

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The float, or a one-line failure with the rule."""
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if math.isnan(number) or not self._accept(number):
            self.fail(f"{value!r} must be {self.rule}", param, ctx)
        return number


class Whole(click.ParamType):
    """A whole number in a range; 2.5, 2.0 and 1e3 are refused alike."""

    def __init__(self, minimum: int, maximum: int = 10**12) -> None:
        self.name = "integer"
        self.minimum, self.maximum = minimum, maximum

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The int, or a one-line failure with the rule."""
        try:
            number = int(str(value))
        except ValueError:
            number = self.minimum - 1
        if not self.minimum <= number <= self.maximum:
            self.fail(f"{value!r} must be a whole number from {self.minimum} to {self.maximum:,}", param, ctx)
        return number


class Several(click.ParamType):
    """A comma-separated list of distinct values of one type."""

    def __init__(self, item: click.ParamType) -> None:
        self.name = f"{item.name},..."
        self.item = item

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[Any]:
        """The list in the order given."""
        if isinstance(value, list):
            return value
        parts = re.split(r",(?![^,:]*=)", str(value))  # NAME:param=value,param=value is one item
        items = [self.item.convert(part.strip(), param, ctx) for part in parts]
        if len(set(items)) != len(items):
            self.fail(f"{value!r} must not name a value twice", param, ctx)
        return items


class Name(click.ParamType):
    """Any text that is not empty; names are checked by the registry that knows them."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text, stripped."""
        if not str(value).strip():
            self.fail("must not be empty", param, ctx)
        return str(value).strip()


POSITIVE = Number("finite and > 0", lambda x: 0 < x < math.inf)
NON_NEGATIVE = Number("finite and >= 0", lambda x: 0 <= x < math.inf)
DELTA = Number("> 0 and < 1, for example 1e-5", lambda x: 0 < x < 1)
RATE = Number("a probability in [0, 1]", lambda x: 0 <= x <= 1)
CLIP_NORM = Number("from 1e-30 to 1e30", lambda x: 1e-30 <= x <= 1e30)
COUNT = Whole(1)
EPOCHS = Whole(1, 10**6)
COUNT_OR_ZERO = Whole(0)
SEED = Whole(0, 2**128 - 1)
