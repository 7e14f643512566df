"""A setting, a formula, and the number that one gives for the other."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from refdp import validate
from refdp.errors import RefDPError

BOUND = "bound"
ESTIMATE = "estimate"
NOT_A_BOUND = "not-a-bound"
KINDS = {
    BOUND: "a valid upper bound for Poisson-sampled steps under add-remove, at most loose",
    ESTIMATE: "a limit or an expansion, near the truth in some regime; it may be below the truth and proves nothing",
    NOT_A_BOUND: "not a valid bound: it can be far below the truth",
}

_STEPS = 10**12


@dataclass(frozen=True)
class Setting:
    """``steps`` equal Gaussian steps, each record taking part in each with probability ``sample_rate``.

    Attributes:
        noise_multiplier: noise standard deviation on the sum / clip norm, finite and > 0.
        sample_rate: in (0, 1].
        steps: from 1 to 10^12.
        delta: in (0, 1).

    Raises:
        RefDPError: a field outside its range, NaN included. (No noise costs inf and no step costs 0, whatever
            the formula; there is nothing to recognise.)
    """

    noise_multiplier: float
    sample_rate: float
    steps: int
    delta: float

    def __post_init__(self) -> None:
        validate.positive(noise_multiplier=self.noise_multiplier)
        validate.positive(sample_rate=self.sample_rate)
        validate.in_range(0, 1, sample_rate=self.sample_rate)
        validate.whole(1, steps=self.steps)
        validate.in_range(1, _STEPS, steps=self.steps)
        validate.strictly_between(0, 1, delta=self.delta)

    @property
    def snr(self) -> float:
        """1 / noise_multiplier^2, inf or 0 where that is beyond the floats."""
        return (1 / float(self.noise_multiplier)) * (1 / float(self.noise_multiplier))

    @property
    def log_inverse_delta(self) -> float:
        """log(1 / delta), > 0."""
        return -math.log(self.delta)


class Value(NamedTuple):
    """What a formula gives for a setting: epsilon, and the order or branch it took."""

    epsilon: float
    note: str


def refused(why: str) -> Value:
    """The value of a formula that does not apply: inf, with the reason as its note."""
    return Value(math.inf, f"does not apply: {why}")


@dataclass(frozen=True)
class Formula:
    """One published way to an epsilon.

    Attributes:
        name: kebab-case, unique.
        cause: a key of ``CAUSES``.
        kind: "bound", "estimate" or "not-a-bound" (``KINDS``).
        symbols: the formula in symbols: s noise multiplier, q sample rate, T steps, d delta, a Renyi order.
        source: paper (arXiv id, theorem) or tool (version, function).
        worth: in a clause, what it is worth and where it fails.
        evaluate: the number. May overflow, divide by zero or give NaN: ``value`` decides what that means.
        rank: among formulas that give the same number the lowest stands first; by how common they are.
    """

    name: str
    cause: str
    kind: str
    symbols: str
    source: str
    worth: str
    evaluate: Callable[[Setting], Value] = field(repr=False)
    rank: int = 50

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise RefDPError(f"formula {self.name}: kind = {self.kind!r}: must be one of {', '.join(KINDS)}")

    def value(self, setting: Setting) -> Value:
        """Epsilon and its note. Never NaN, never an exception, never below 0.

        inf where the formula overflows (far too little noise) or does not apply; the note says which. A negative
        number, which some conversions give where the cost is next to nothing, is reported as 0.
        """
        return _value(self, setting)

    def epsilon(self, setting: Setting) -> float:
        """The formula's epsilon, in nats: ``value`` without its note."""
        return self.value(setting).epsilon

    def describe(self, setting: Setting) -> str:
        """The order or branch that gave it, in a few words."""
        return self.value(setting).note


@lru_cache(maxsize=1024)
def _value(formula: Formula, setting: Setting) -> Value:
    try:
        with np.errstate(all="ignore"):
            epsilon, note = formula.evaluate(setting)
    except (OverflowError, ZeroDivisionError):
        return Value(math.inf, "overflows")
    epsilon = float(epsilon)
    if math.isnan(epsilon):
        return Value(math.inf, "overflows")
    return Value(max(0.0, epsilon), note)
