"""AUTO-S: Bu et al. 2023 (arXiv 2206.07136), Algorithm 1; with ``relative`` as s0 writes it.

w = C / (n + gamma), or C / (n + gamma C)

With gamma absolute C only rescales the learning rate; with gamma C it does not, and the rule is homogeneous.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from refdp.backend import Array
from refdp.clippers import clippers
from refdp.clippers.base import POSITIVE_RANGE, SMALLEST_NORM, ClipContext, Clipper


@clippers.register("auto-s")
@dataclass(frozen=True)
class AutoS(Clipper):
    """Normalise, but let gradients well below gamma stay small. K = C, not attained."""

    clip_norm: float
    gamma: float = 0.01
    relative: bool = False
    name: ClassVar[str] = "auto-s"
    equation: ClassVar[str] = "w = C / (n + gamma); relative: w = C / (n + gamma C)"
    bound_equation: ClassVar[str] = "C"
    guarantee: ClassVar[str] = "n / (n + gamma) < 1"
    citation: ClassVar[str] = "Bu et al. 2023, arXiv 2206.07136, Algorithm 1; relative: s0"
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = {"gamma": POSITIVE_RANGE}
    idempotent: ClassVar[bool] = False
    contribution_monotone: ClassVar[bool] = True
    weight_monotone: ClassVar[bool] = True
    homogeneous: ClassVar[bool] = False
    direction_kept: ClassVar[bool] = True

    def scales(self, xp: Any, norms: Array, context: ClipContext) -> Array:
        """C (1 - margin) / (n + gamma)."""
        gamma = self.gamma * self.clip_norm if self.relative else self.gamma
        return self.target(context) / (xp.maximum(norms, SMALLEST_NORM) + gamma)
