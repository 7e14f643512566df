"""Global clipping, keep or drop: Bu et al. 2021 (arXiv 2106.07830).

w = C / Z if n <= Z, else 0, for a threshold Z >= C, given as ratio = Z / C

A record beyond the threshold is lost, so easy records count for more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from refdp.backend import Array
from refdp.clippers import clippers
from refdp.clippers.base import ClipContext, Clipper


@clippers.register("global")
@dataclass(frozen=True)
class Global(Clipper):
    """Keep gradients up to norm Z, scaled by C / Z, and drop the rest. K = C."""

    clip_norm: float
    ratio: float = 1.0
    name: ClassVar[str] = "global"
    equation: ClassVar[str] = "w = C / Z if n <= Z, else 0, with Z = ratio C"
    bound_equation: ClassVar[str] = "C"
    guarantee: ClassVar[str] = "n <= Z gives n C / Z <= C, everything else 0"
    citation: ClassVar[str] = "Bu et al. 2021, arXiv 2106.07830, global clipping"
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = {"ratio": (1.0, 1e30)}
    idempotent: ClassVar[bool] = True
    contribution_monotone: ClassVar[bool] = False
    weight_monotone: ClassVar[bool] = True
    homogeneous: ClassVar[bool] = True
    direction_kept: ClassVar[bool] = True

    def scales(self, xp: Any, norms: Array, context: ClipContext) -> Array:
        """1 / ratio where n <= ratio C (1 - margin), else 0."""
        return xp.where(norms <= self.ratio * self.target(context), 1.0 / self.ratio, 0.0)
