"""AUTO-V: Bu et al. 2023 (arXiv 2206.07136).

w = C / n, and 0 at n = 0

A gradient of 0 has no direction: it contributes 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from refdp.backend import Array
from refdp.clippers import clippers
from refdp.clippers.base import SMALLEST_NORM, ClipContext, Clipper


@clippers.register("auto-v")
@dataclass(frozen=True)
class AutoV(Clipper):
    """Scale every gradient to norm C, however small it is. K = C."""

    clip_norm: float
    name: ClassVar[str] = "auto-v"
    equation: ClassVar[str] = "w = C / n (0 at n = 0)"
    bound_equation: ClassVar[str] = "C"
    guarantee: ClassVar[str] = "n C / n = C"
    citation: ClassVar[str] = "Bu et al. 2023, arXiv 2206.07136, AUTO-V"
    idempotent: ClassVar[bool] = True
    contribution_monotone: ClassVar[bool] = True
    weight_monotone: ClassVar[bool] = True
    homogeneous: ClassVar[bool] = True
    direction_kept: ClassVar[bool] = True

    def scales(self, xp: Any, norms: Array, context: ClipContext) -> Array:
        """C (1 - margin) / n; norms below 1e-140 count as 1e-140."""
        return xp.where(norms > 0.0, self.target(context) / xp.maximum(norms, SMALLEST_NORM), 0.0)
