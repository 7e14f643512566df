"""DP-NSGD, normalised SGD with a regulariser r: Yang et al. 2022 (arXiv 2206.13033).

w = C / (n + r)

The same function as AUTO-S with gamma = r; without r it is AUTO-V.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from refdp.backend import Array
from refdp.clippers import clippers
from refdp.clippers.base import POSITIVE_RANGE, SMALLEST_NORM, ClipContext, Clipper


@clippers.register("nsgd")
@dataclass(frozen=True)
class Nsgd(Clipper):
    """Normalise with the regulariser r. K = C, not attained."""

    clip_norm: float
    r: float = 0.01
    name: ClassVar[str] = "nsgd"
    equation: ClassVar[str] = "w = C / (n + r)"
    bound_equation: ClassVar[str] = "C"
    guarantee: ClassVar[str] = "n / (n + r) < 1"
    citation: ClassVar[str] = "Yang et al. 2022, arXiv 2206.13033"
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = {"r": POSITIVE_RANGE}
    idempotent: ClassVar[bool] = False
    contribution_monotone: ClassVar[bool] = True
    weight_monotone: ClassVar[bool] = True
    homogeneous: ClassVar[bool] = False
    direction_kept: ClassVar[bool] = True

    def scales(self, xp: Any, norms: Array, context: ClipContext) -> Array:
        """C (1 - margin) / (n + r)."""
        return self.target(context) / (xp.maximum(norms, SMALLEST_NORM) + self.r)
