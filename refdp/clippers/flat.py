"""Flat clipping: Abadi et al. 2016 (arXiv 1607.00133), Algorithm 1.

w = min(1, C / n)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from refdp.backend import Array
from refdp.clippers import clippers
from refdp.clippers.base import ClipContext, Clipper


@clippers.register("flat")
@dataclass(frozen=True)
class Flat(Clipper):
    """Scale the whole gradient down to norm C, or leave it alone. K = C."""

    clip_norm: float
    name: ClassVar[str] = "flat"
    equation: ClassVar[str] = "w = min(1, C / n)"
    bound_equation: ClassVar[str] = "C"
    guarantee: ClassVar[str] = "n min(1, C / n) = min(n, C) <= C"
    citation: ClassVar[str] = "Abadi et al. 2016, arXiv 1607.00133, Algorithm 1"
    idempotent: ClassVar[bool] = True
    contribution_monotone: ClassVar[bool] = True
    weight_monotone: ClassVar[bool] = True
    homogeneous: ClassVar[bool] = True
    direction_kept: ClassVar[bool] = True

    def scales(self, xp: Any, norms: Array, context: ClipContext) -> Array:
        """min(1, C (1 - margin) / n), with 1 at n = 0."""
        target = self.target(context)
        return target / xp.maximum(norms, target)
