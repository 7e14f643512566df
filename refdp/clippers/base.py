"""The contract of a clipping rule: per-sample norms in, per-sample scales and a bound out.

Rule i scales the gradient of sample b in group l by s[b, l], with sum_l (s[b, l] n[b, l])^2 <= K^2 for EVERY
norm matrix n. The sum of scaled gradients then moves by at most K when a record is added, removed or
zeroed out, and by at most 2K when one is replaced.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from refdp.accounting import Schedule
from refdp.accounting.neighboring import sensitivity_factor
from refdp.backend import Array
from refdp.validate import in_range

SMALLEST_CLIP_NORM, LARGEST_CLIP_NORM = 1e-30, 1e30
POSITIVE_RANGE = (1e-30, 1e30)
SMALLEST_NORM = 1e-140
"""Rules that divide by a norm take a smaller one for this: squares below 1e-308 lose digits, so a computed norm near
1e-160 may be far less than the true one, and C / n would carry the record beyond C."""


@dataclass(frozen=True)
class ClipContext:
    """The public quantities a rule may use.

    Attributes:
        step: 0-based number of the step.
        steps: number of steps planned.
        margin: relative room for the rounding of scaled gradients; a rule keeps K (1 - margin).
        sizes: number of parameters of each of the L groups; (1,) stands for one group of any size.
        released: of an adaptive rule, what it has released so far; float64 arrays on the host.
    """

    step: int
    steps: int
    margin: float
    sizes: tuple[int, ...] = (1,)
    released: Mapping[str, np.ndarray] = field(default_factory=dict)


class Clipper(ABC):
    """A clipping rule.

    Guarantees of every rule, tested for all registered ones:

    G1. The float64 norm of every scaled contribution is at most ``bound()``, exactly, for float32 and float64
        gradients with norms from 1e-30 to 1e30.
    G2. A record whose gradient holds NaN or inf contributes exactly 0, and changes nothing else.
    G3. A record's scale depends on its own norms and public quantities only.
    G4. Zero gradients contribute zero; no scale is NaN or inf.

    Beside these a rule declares, at its default parameters, which of five properties it has; both answers are
    tested, a "no" by a witness. w are the scales, u = |(w_l n_l)_l| the norm of the contribution.
    """

    name: ClassVar[str]
    equation: ClassVar[str]
    bound_equation: ClassVar[str]
    guarantee: ClassVar[str]
    """Why K bounds every contribution, in one line."""
    citation: ClassVar[str]
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = {}
    """Closed range of each numeric parameter; ``clip_norm``'s is the same for all."""
    per_group: ClassVar[bool] = False
    """Whether ``scales`` needs a norm for each parameter tensor (True) or for the whole gradient (False)."""

    idempotent: ClassVar[bool]
    """P6: a scaled gradient is left alone when scaled again."""
    contribution_monotone: ClassVar[bool]
    """P7: u does not fall as the gradient is stretched."""
    weight_monotone: ClassVar[bool]
    """P8: no scale rises as the gradient (not zero) is stretched."""
    homogeneous: ClassVar[bool]
    """P9: w(c n; c C) = w(n; C): the unit that gradients are measured in does not matter."""
    direction_kept: ClassVar[bool]
    """P10: one scale for the whole gradient."""

    clip_norm: float

    def __post_init__(self) -> None:
        in_range(SMALLEST_CLIP_NORM, LARGEST_CLIP_NORM, clip_norm=self.clip_norm)
        for parameter, (low, high) in self.ranges.items():
            if getattr(self, parameter) is not None:
                in_range(low, high, **{parameter: getattr(self, parameter)})

    def target(self, context: ClipContext) -> float:
        """The step's C with room for rounding."""
        return self.threshold(context) * (1.0 - context.margin)

    def threshold(self, context: ClipContext) -> float:
        """The step's C: ``clip_norm``, unless the rule changes it in the course of the run."""
        return self.clip_norm

    @abstractmethod
    def scales(self, xp: Any, norms: Array, context: ClipContext) -> Array:
        """Scales float64 [B, L] from finite norms float64 [B, L] >= 0 (L = 1 unless ``per_group``)."""

    def bound(self, context: ClipContext) -> float:
        """K: the largest norm one record's scaled gradient can have. The step's C unless the rule says otherwise."""
        return self.threshold(context)

    def sensitivity(self, neighboring: str, context: ClipContext) -> float:
        """L2 sensitivity of the sum of scaled gradients."""
        return sensitivity_factor(neighboring) * self.bound(context)

    def noise_scales(self, context: ClipContext) -> np.ndarray:
        """Standard deviation of each group's noise at noise multiplier 1: float64 [L]. K for all by default.

        G5. sum_l (u_l / noise_scales_l)^2 <= 1 for every contribution u: whatever the allocation, the release is a
            Gaussian one of sensitivity 1 at the declared noise multiplier.
        """
        return np.full(len(context.sizes), self.bound(context))

    def noise_schedule(self, schedule: Schedule) -> Schedule:
        """The schedule of noise multipliers of a run with this rule: the one asked for, unless the rule brings its own.

        Raises:
            RefDPError: the rule brings its own, and another was asked for.
        """
        return schedule

    def bound_text(self) -> str:
        """K in words, for a statement about a whole run."""
        return f"{self.bound(ClipContext(0, 1, 0.0)):g}"
