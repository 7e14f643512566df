"""One peer's answer with all that is needed to explain it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from refdp.accounting import ADD_REMOVE, REPLACE_ONE
from refdp.accounting.accountant import CONVERSION
from refdp.crosscheck.cells import Cells
from refdp.crosscheck.truth import Truth
from refdp.crosscheck.verdict import Verdict

SAME = 1e-6  # relative; two computations of one formula
NEAR = 1e-3  # relative; the same method with details that are not known


class Reason(NamedTuple):
    """A cause by name, and in words with its figures; ``explains`` False where it is a remark beside the figure."""

    id: str
    text: str
    explains: bool = True


class Imitation(NamedTuple):
    """What a peer's method gives on a ledger, computed by refdp."""

    value: float
    text: str


@dataclass(frozen=True)
class Finding:
    """A judged answer.

    Attributes:
        truth: of the ledger asked about.
        seen: of the ledger that the peer was given (the same, or a Poisson reading of it).
        read_as: what another sampler was taken for, or None.
        cells: its one-step RDPs beside refdp's, or None.
        method: the peer's: "rdp", "pld", "clt", or "" where unknown.
        conversion: the one its documentation names, or None.
        answer: its document.
        verdict: of its figure against ``truth``.
    """

    truth: Truth
    seen: Truth
    verdict: Verdict
    answer: Mapping[str, Any]
    method: str = ""
    conversion: str | None = None
    read_as: str | None = None
    cells: Cells | None = None

    @property
    def value(self) -> float:
        """The figure judged."""
        return self.verdict.value

    @cached_property
    def orders(self) -> list[float]:
        """The peer's grid of Renyi orders, or none."""
        return [float(order) for order in self.answer.get("orders", [])]

    @property
    def searches(self) -> bool:
        """Whether it looks for the best order, so that ``orders`` are only looked at."""
        return bool(self.answer.get("search"))

    @cached_property
    def assumed(self) -> Truth:
        """The ledger that the figure seems to be for: add-remove where replace-one was asked, if that fits better."""
        if self.seen.ledger.neighboring == REPLACE_ONE and self.verdict.word in ("unsafe", "undecided"):
            other = self.seen.under(ADD_REMOVE)
            if other is not None and self.fits(other):
                return other
        return self.seen

    @property
    def below(self) -> bool:
        """Whether it is no upper bound even of what it seems to be for: no valid way of accounting gives it."""
        return self.assumed.lower is not None and self.value < self.assumed.lower * (1 - SAME)

    def fits(self, truth: Truth) -> bool:
        """Whether the peer's method on this ledger gives its figure."""
        if self.method == "rdp":
            return self.same(self.imitated_rdp(truth).value)
        if self.method == "clt":
            limit = truth.central_limit()
            return limit is not None and self.same(limit[0])
        loss = float(self.answer.get("eps_error", 0.0)) * 2 + 1e-2 * truth.upper
        return truth.lower is not None and truth.lower * (1 - 1e-2) <= self.value <= truth.upper + loss

    def imitated_rdp(self, truth: Truth, conversion: str | None = None) -> Imitation:
        """RDP on the peer's grid of orders (on all of them where it searches), by this conversion or its own."""
        name = conversion or self.conversion or CONVERSION
        if self.answer.get("search") == "integers":
            near = truth.rdp_best(name).order
            whole = (
                [float(max(2, math.floor(near) + i)) for i in (-1, 0, 1, 2)] if math.isfinite(near) else []
            )
            return Imitation(truth.rdp_on_grid(whole, name).value, f"refdp's RDP at whole orders, {name}")
        if self.searches or not self.orders:
            return Imitation(truth.rdp_best(name).value, f"refdp's RDP over all orders, {name}")
        best = truth.rdp_on_grid(self.orders, name)
        text = f"refdp's RDP on its orders ({min(self.orders):g} to {max(self.orders):g}), {name}"
        return Imitation(best.value, text)

    def same(self, other: float, relative: float | None = None) -> bool:
        """Whether a figure is the peer's, computed again; NEAR where its orders are not known."""
        relative = relative or (SAME if self.answer else NEAR)
        return math.isclose(self.value, other, rel_tol=relative, abs_tol=1e-12) or self.value == other
