"""What every calibration shares: its answer, the bound it is solved on, and the check before it is returned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from refdp.accounting import _checks
from refdp.accounting.accountant import Bounds, epsilon
from refdp.accounting.errors import AccountingError
from refdp.accounting.grouping import distinct, grouped
from refdp.accounting.ledger import Ledger

_SURROGATE = 24  # multipliers of the stand-in that the answer is first looked for on
MANY = 64  # multipliers above which a stand-in is worth its while


@dataclass(frozen=True)
class Calibration:
    """An answer, the epsilon it has, and how much of the target is left over.

    Attributes:
        value: what was solved for.
        epsilon: both bounds of the run at ``value``; ``epsilon.upper`` <= ``target_epsilon``.
        slack: target_epsilon - epsilon.upper, >= 0.
        solved_for: "noise_multiplier", "scale", "steps", "sample_rate" or "delta".
        rdp_noise_multiplier: what RDP alone would have needed (of a multiplier or scale), None where it has no answer.
        notes: what to know about the answer.
    """

    value: float
    epsilon: Bounds
    target_epsilon: float
    slack: float
    solved_for: str = "noise_multiplier"
    rdp_noise_multiplier: float | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def noise_multiplier(self) -> float:
        """The answer, where a multiplier or a schedule's scale was solved for."""
        if self.solved_for not in ("noise_multiplier", "scale"):
            raise AccountingError(f"noise_multiplier: {self.solved_for} was solved for; see .value")
        return self.value


class Upper:
    """The upper bound along a family of ledgers: in full, and of a stand-in of few multipliers (no bound)."""

    def __init__(self, ledger_of: Callable[..., Ledger], delta: float, accountant: str) -> None:
        self.ledger_of, self.delta, self.accountant = ledger_of, delta, accountant
        self.seen: dict[float, Bounds] = {}

    def full(self, x: float) -> float:
        """The upper bound that a calibration may rest on; inf where there is none."""
        if x not in self.seen:
            self.seen[x] = epsilon(self.ledger_of(x), self.delta, self.accountant)
        upper = self.seen[x].upper
        return float("inf") if upper is None else upper

    def rough(self, x: float) -> float:
        """About the same at less cost."""
        upper = epsilon(grouped(self.ledger_of(x), _SURROGATE, "mean"), self.delta, self.accountant).upper
        return float("inf") if upper is None else upper

    def is_long(self, x: float) -> bool:
        """Whether the stand-in is worth its while."""
        return distinct(self.ledger_of(x)) > MANY

    def answer(
        self, x: float, target: float, solved_for: str, rdp: float | None = None, notes: tuple[str, ...] = ()
    ) -> Calibration:
        """The answer at x, its post-condition checked on a fresh evaluation's bounds."""
        self.full(x)
        found = self.seen[x]
        if found.upper is None or not found.upper <= target:
            raise AccountingError(
                f"target_epsilon = {target!r}: calibration broke its post-condition; please report"
            )
        return Calibration(x, found, target, target - found.upper, solved_for, rdp, notes)


def check_targets(target_epsilon: float, delta: float) -> float:
    """The target, refused unless finite and > 0; delta must be in (0, 1)."""
    _checks.open_unit("delta", delta)
    return _checks.positive("target_epsilon", target_epsilon)
