"""A peer's figures beside refdp's enclosure of the truth.

G1. "unsafe" is said only of an upper bound, or of an estimate (which is quoted as epsilon), that lies below the
    enclosure's lower end by more than ROUNDING relative: a refuted claim.
G2. "overstated" is said only of a lower bound that lies above the enclosure's upper end by more than that.
G3. A figure inside the enclosure is never called wrong; where the enclosure is wide it is "undecided".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ROUNDING = 1e-9  # relative; what float64 arithmetic may lose in a figure that is meant to be exact
CLOSE = 1e-3  # relative; an upper bound this near is called tight
VERDICTS = ("agrees", "above", "below", "unsafe", "overstated", "undecided")
WRONG = ("unsafe", "overstated")


@dataclass(frozen=True)
class Verdict:
    """One peer's answer, judged.

    Attributes:
        word: one of VERDICTS; "above" is a valid but loose upper bound, "below" a valid but loose lower bound.
        value: the figure that a user would quote: the upper bound, else the estimate, else the lower bound.
        distance: value less the nearest end of the enclosure, 0 inside it.
    """

    word: str
    value: float
    distance: float

    @property
    def wrong(self) -> bool:
        """Whether a statement of the peer is refuted."""
        return self.word in WRONG


def figures(side: str, answer: Mapping[str, Any]) -> dict[str, float | None]:
    """The peer's figures by what each claims to be.

    Raises:
        ValueError: a figure that is missing, no number, NaN or negative; the text says which.
    """
    parts = {
        "upper": {"upper": "epsilon"},
        "estimate": {"estimate": "epsilon"},
        "lower": {"lower": "lower"},
        "interval": {"lower": "lower", "estimate": "epsilon", "upper": "upper"},
    }[side]
    quoted = next((parts[name] for name in ("upper", "estimate") if name in parts), None)
    found: dict[str, float | None] = {"lower": None, "estimate": None, "upper": None}
    for name, key in parts.items():
        value = answer.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"its {key} is {value!r}, no number")
        if math.isnan(value):
            raise ValueError(f"its {key} is NaN")
        if value < 0 and key == quoted:  # a negative lower end says nothing, and nothing wrong
            raise ValueError(f"its {key} is {float(value):.6g}: no epsilon is negative")
        found[name] = float(value)
    return found


def judge(given: Mapping[str, float | None], lower: float | None, upper: float) -> Verdict:
    """Judge the figures against the enclosure [lower, upper]; lower None where no lower bound is known."""
    claimed = given["upper"] if given["upper"] is not None else given["estimate"]
    low = given["lower"]
    if low is not None and low > upper * (1 + ROUNDING):
        return Verdict("overstated", low, low - upper)
    if claimed is None:
        assert low is not None
        if lower is None:
            return Verdict("undecided", low, 0.0)
        if low >= lower:
            return Verdict("agrees", low, 0.0)
        near = low >= lower * (1 - CLOSE)
        return Verdict("agrees" if near else "below", low, low - lower)
    if lower is not None and claimed < lower * (1 - ROUNDING):
        return Verdict("unsafe", claimed, claimed - lower)
    if claimed > upper:
        near = upper == math.inf or claimed <= upper * (1 + CLOSE)
        return Verdict(
            "agrees" if near else "above", claimed, claimed - upper if claimed < math.inf else math.inf
        )
    floor = -math.inf if lower is None else lower
    if claimed == upper or upper - floor <= CLOSE * upper:
        return Verdict("agrees", claimed, min(0.0, claimed - floor))
    return Verdict("undecided", claimed, 0.0)
