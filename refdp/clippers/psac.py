"""DP-PSAC, per-sample adaptive clipping: Xia et al. 2023 (arXiv 2212.00328).

w = C / (n + r / (n + r))

The weight is C at n = 0 and, for r < 1, peaks at n = sqrt(r) - r.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from refdp.backend import Array
from refdp.clippers import clippers
from refdp.clippers.base import POSITIVE_RANGE, SMALLEST_NORM, ClipContext, Clipper


@clippers.register("psac")
@dataclass(frozen=True)
class Psac(Clipper):
    """Normalise, with gradients near 0 weighted by C, not more. K = C, not attained."""

    clip_norm: float
    r: float = 0.1
    name: ClassVar[str] = "psac"
    equation: ClassVar[str] = "w = C / (n + r / (n + r))"
    bound_equation: ClassVar[str] = "C"
    guarantee: ClassVar[str] = "n / (n + r / (n + r)) < 1"
    citation: ClassVar[str] = "Xia et al. 2023, arXiv 2212.00328"
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = {"r": POSITIVE_RANGE}
    idempotent: ClassVar[bool] = False
    contribution_monotone: ClassVar[bool] = True
    weight_monotone: ClassVar[bool] = False
    homogeneous: ClassVar[bool] = False
    direction_kept: ClassVar[bool] = True

    def scales(self, xp: Any, norms: Array, context: ClipContext) -> Array:
        """C (1 - margin) / (n + r / (n + r))."""
        n = xp.maximum(norms, SMALLEST_NORM)
        return self.target(context) / (n + self.r / (n + self.r))
