"""The contract of a clipping rule: per-sample norms in, per-sample scales and a bound out.

Rule i scales the gradient of sample b in group l by s[b, l], with sum_l (s[b, l] n[b, l])^2 <= K^2 for EVERY
norm matrix n. The sum of scaled gradients then moves by at most K when a record is added, removed or
zeroed out, and by at most 2K when one is replaced.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from refdp.accounting.neighboring import sensitivity_factor
from refdp.backend import Array

SMALLEST_CLIP_NORM, LARGEST_CLIP_NORM = 1e-30, 1e30


@dataclass(frozen=True)
class ClipContext:
    """The public quantities a rule may use.

    Attributes:
        step: 0-based number of the step.
        steps: number of steps planned.
        margin: relative room for the rounding of scaled gradients; a rule keeps K (1 - margin).
    """

    step: int
    steps: int
    margin: float


class Clipper(ABC):
    """A clipping rule.

    Guarantees of every rule, tested for all registered ones:

    G1. The float64 norm of every scaled contribution is at most ``bound()``, exactly, for float32 and float64
        gradients with norms from 1e-30 to 1e30.
    G2. A record whose gradient holds NaN or inf contributes exactly 0, and changes nothing else.
    G3. A record's scale depends on its own norms and public quantities only.
    G4. Zero gradients contribute zero; no scale is NaN or inf.
    """

    name: ClassVar[str]
    per_group: ClassVar[bool] = False
    """Whether ``scales`` needs a norm for each parameter tensor (True) or for the whole gradient (False)."""

    @abstractmethod
    def scales(self, xp: Any, norms: Array, context: ClipContext) -> Array:
        """Scales float64 [B, L] from finite norms float64 [B, L] >= 0 (L = 1 unless ``per_group``)."""

    @abstractmethod
    def bound(self) -> float:
        """K: the largest norm one record's scaled gradient can have."""

    def sensitivity(self, neighboring: str) -> float:
        """L2 sensitivity of the sum of scaled gradients."""
        return sensitivity_factor(neighboring) * self.bound()
