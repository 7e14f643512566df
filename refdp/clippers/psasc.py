"""DP-PSASC, per-sample adaptive scaling: arXiv 2411.03059.

w = C / (s n + r / (n + r)), 0 < s <= 1

K = C / s, and the noise grows with it: s < 1 lowers every weight relative to the noise, and costs no epsilon. With
s = 1 it is PSAC. The default s is refdp's choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from refdp.backend import Array
from refdp.clippers import clippers
from refdp.clippers.base import LARGEST_CLIP_NORM, POSITIVE_RANGE, SMALLEST_NORM, ClipContext, Clipper
from refdp.errors import RefDPError


@clippers.register("psasc")
@dataclass(frozen=True)
class Psasc(Clipper):
    """PSAC with scaled norms. K = C / s, not attained."""

    clip_norm: float
    r: float = 0.1
    s: float = 0.7
    name: ClassVar[str] = "psasc"
    equation: ClassVar[str] = "w = C / (s n + r / (n + r))"
    bound_equation: ClassVar[str] = "C / s"
    guarantee: ClassVar[str] = "n / (s n + r / (n + r)) < 1 / s, approached as n grows"
    citation: ClassVar[str] = "arXiv 2411.03059 (DP-PSASC)"
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = {"r": POSITIVE_RANGE, "s": (1e-30, 1.0)}
    idempotent: ClassVar[bool] = False
    contribution_monotone: ClassVar[bool] = True
    weight_monotone: ClassVar[bool] = False
    homogeneous: ClassVar[bool] = False
    direction_kept: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        bound = self.clip_norm / self.s
        if bound > LARGEST_CLIP_NORM:
            raise RefDPError(f"clip_norm / s = {bound:g}: must be at most 1e30; take a larger s")

    def bound(self, context: ClipContext) -> float:
        """C / s."""
        return self.clip_norm / self.s

    def scales(self, xp: Any, norms: Array, context: ClipContext) -> Array:
        """C (1 - margin) / (s n + r / (n + r))."""
        n = xp.maximum(norms, SMALLEST_NORM)
        return self.target(context) / (self.s * n + self.r / (n + self.r))
