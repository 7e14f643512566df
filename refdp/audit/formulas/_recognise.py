"""Which published formula gives a claimed epsilon?

A claim that the truth itself explains is nobody's formula: where the exact epsilon (both bounds of
``refdp.accounting``) lies within the tolerance of the claim, the answer is empty. This also settles the formulas that
are exact somewhere (the Gaussian curve at sample rate 1, or a limit theorem where the limit is reached).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from refdp.accounting import AccountingError, Ledger, epsilon
from refdp.audit.formulas._base import BOUND, ESTIMATE, NOT_A_BOUND, Formula, Setting
from refdp.audit.formulas._causes import CAUSES
from refdp.audit.formulas._registry import FORMULAS
from refdp.errors import RefDPError

SAME = 1e-9  # formulas this close, relatively, give one number
LOOSEST, TIGHTEST = 1e-2, 1e-6  # relative tolerances
_DIGITS = 6  # a float with more significant digits was not rounded by hand
_NUMBER = re.compile(r"\+?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class Match:
    """A formula that gives the claimed epsilon.

    Attributes:
        formula: the most common of those that give this number here.
        epsilon: the number.
        difference: epsilon - claimed.
        note: the order or branch it took.
        same_as: others that give the same number for this setting (to 1e-9), by rank.
    """

    formula: Formula
    epsilon: float
    difference: float
    note: str
    same_as: tuple[Formula, ...] = ()

    @property
    def cause(self) -> str:
        return self.formula.cause

    @property
    def kind(self) -> str:
        return self.formula.kind

    @property
    def names(self) -> tuple[str, ...]:
        """The formula's name and those it cannot be told from here."""
        return (self.formula.name, *(other.name for other in self.same_as))

    @property
    def text(self) -> str:
        """One sentence for a verdict."""
        worth = {BOUND: "a valid bound", ESTIMATE: "an estimate, not a bound", NOT_A_BOUND: "not a bound"}[
            self.kind
        ]
        return f"{self.formula.symbols} ({self.note}; {self.formula.source}): {worth}. {CAUSES[self.cause]}"


def _parse(claimed: float | int | str) -> tuple[float, float | None]:
    """(the number, half a unit of its last digit or None if it carries too many digits to have been rounded)."""
    rule = "must be a finite number >= 0, or its text"
    if isinstance(claimed, bool) or not isinstance(claimed, int | float | str):
        raise RefDPError(f"claimed = {claimed!r}: {rule}")
    if isinstance(claimed, str):
        text = claimed.strip()
    else:
        text = float.__repr__(claimed) if isinstance(claimed, float) else str(claimed)
    if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise RefDPError(f"claimed = {claimed!r}: {rule}")
    number = Decimal(text)
    if not isinstance(claimed, str):
        number = Decimal(text.removesuffix(".0"))
        if len(number.as_tuple().digits) > _DIGITS:
            return float(number), None
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    return float(number), 0.5 * 10.0**exponent if exponent > -300 else 0.0


def tolerance_of(claimed: float | int | str) -> float:
    """How far a formula's number may be from a claim, by the digits the claim is given with.

    Half the last digit of a text ("3.00": 0.005) or of a float's shortest form with at most 6 significant digits
    (3.0 counts as "3"); relative 1e-6 for a float with more; in any case from 1e-6 to 1e-2 of the claim.

    Raises:
        RefDPError: no finite number >= 0.
    """
    number, half = _parse(claimed)
    return min(max(half or 0.0, TIGHTEST * number), LOOSEST * number)


@lru_cache(maxsize=64)
def true_epsilon(setting: Setting) -> tuple[float, float] | None:
    """(lower, upper) of the exact epsilon of the setting, add-remove; None where one side is not known."""
    sampling: dict[str, Any] = {"scheme": "poisson", "rate": float(setting.sample_rate)}
    event = {
        "mechanism": "gaussian",
        "noise_multiplier": float(setting.noise_multiplier),
        "sampling": {"scheme": "full-batch"} if setting.sample_rate == 1 else sampling,
        "count": int(setting.steps),
    }
    try:
        ledger = Ledger.from_json(
            {"schema": "refdp-ledger/1", "neighboring": "add-remove", "events": [event]}
        )
        found = epsilon(ledger, setting.delta, "gaussian" if setting.sample_rate == 1 else "pld")
    except AccountingError:
        return None
    if found.lower is None or found.upper is None:
        return None
    return found.lower, found.upper


def recognise(
    claimed: float | int | str,
    setting: Setting,
    tolerance: float | None = None,
    *,
    truth: tuple[float, float] | None = None,
) -> list[Match]:
    """The formulas that give ``claimed`` for the setting, closest first; empty where none does: unknown.

    Formulas that give one number here (to 1e-9) are one match, named by the most common of them. Empty also where
    the true epsilon is within the tolerance of the claim, and for a claim of 0, which proves no formula.

    Args:
        claimed: epsilon, finite and >= 0; as text it keeps the digits it was printed with.
        tolerance: absolute; by default ``tolerance_of(claimed)``.
        truth: (lower, upper) of the exact epsilon where the caller has it; otherwise computed if anything matches.

    Raises:
        RefDPError: claimed or tolerance is no finite number >= 0.
    """
    number, _ = _parse(claimed)
    allowed = tolerance_of(claimed) if tolerance is None else _parse(tolerance)[0]
    near = []
    for formula in FORMULAS.values():
        value = formula.epsilon(setting)
        if 0 < value < math.inf and abs(value - number) <= allowed:
            near.append((value, formula))
    if not near or number == 0:
        return []
    bounds = truth or true_epsilon(setting)
    if bounds is not None and bounds[0] - allowed <= number <= bounds[1] + allowed:
        return []
    near.sort(key=lambda pair: pair[0])
    groups: list[list[tuple[float, Formula]]] = []
    for pair in near:
        if groups and pair[0] - groups[-1][-1][0] <= SAME * pair[0]:
            groups[-1].append(pair)
        else:
            groups.append([pair])
    matches = []
    for group in groups:
        (value, first), *others = sorted(group, key=lambda pair: (pair[1].rank, pair[1].name))
        same = tuple(formula for _, formula in others)
        matches.append(Match(first, value, value - number, first.describe(setting), same))
    return sorted(matches, key=lambda m: (abs(m.difference), m.formula.rank, m.formula.name))
