"""Adaptive per-layer clipping: He et al. 2022 (arXiv 2212.01539), each C_l as in Andrew et al. See ``adaptive``.

L counts a step, released together: their L2 sensitivity is sqrt(L) / 2. ``renormalise`` scales the thresholds back to
sum_l C_l^2 = C^2 after each step, so that only their proportions adapt; min_clip_norm and max_clip_norm come after it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from refdp.backend import Array
from refdp.clippers import clippers
from refdp.clippers.adaptive import THRESHOLDS, AdaptiveClipper
from refdp.clippers.base import ClipContext
from refdp.clippers.per_layer import clip_each
from refdp.clippers.shares import ALLOCATIONS, noise_scales, thresholds
from refdp.errors import RefDPError
from refdp.validate import one_of


@clippers.register("per-layer-quantile")
@dataclass(frozen=True)
class PerLayerQuantile(AdaptiveClipper):
    """Each parameter tensor to its own C_l, which follows a quantile of its norms. K = sqrt(sum_l C_l^2)."""

    allocation: str = field(default="global", kw_only=True)
    renormalise: bool = field(default=False, kw_only=True)
    name: ClassVar[str] = "per-layer-quantile"
    equation: ClassVar[str] = "w_l = min(1, C_l / n_l), each C_l as in quantile, from C / sqrt(L) on"
    bound_equation: ClassVar[str] = "sqrt(sum_l C_l^2)"
    guarantee: ClassVar[str] = (
        "sum_l min(n_l, C_l)^2 <= sum_l C_l^2; L centred counts move by sqrt(L) / 2 and are charged beside the sum"
    )
    citation: ClassVar[str] = "He et al. 2022, arXiv 2212.01539, with Andrew et al. 2021, arXiv 1905.03871"
    per_group: ClassVar[bool] = True
    direction_kept: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of(ALLOCATIONS, allocation=self.allocation)
        if not isinstance(self.renormalise, bool):
            raise RefDPError(f"renormalise = {self.renormalise!r}: must be true or false")

    def initial(self, sizes: tuple[int, ...]) -> dict[str, np.ndarray]:
        """C / sqrt(L) for each, or the nearest that the range of thresholds allows."""
        start = thresholds(self.clip_norm, "uniform", sizes)
        return {THRESHOLDS: np.clip(start, self.min_clip_norm, self.max_clip_norm)}

    def scales(self, xp: Any, norms: Array, context: ClipContext) -> Array:
        """min(1, C_l (1 - margin) / n_l), with 1 at n_l = 0."""
        return clip_each(xp, norms, self.thresholds(context), context.margin)

    def noise_scales(self, context: ClipContext) -> np.ndarray:
        """As ``allocation`` has it."""
        return noise_scales(self.allocation, self.thresholds(context), context.sizes)

    def advanced(self, context: ClipContext, released: np.ndarray, divisor: float) -> dict[str, np.ndarray]:
        """As in ``adaptive``, and scaled back to C where asked for."""
        moved = super().advanced(context, released, divisor)[THRESHOLDS]
        if self.renormalise:
            top = float(moved.max())
            moved = moved / top * (self.clip_norm / float(np.sqrt(((moved / top) ** 2).sum())))
        return {THRESHOLDS: np.clip(moved, self.min_clip_norm, self.max_clip_norm)}
