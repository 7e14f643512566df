"""Per-layer clipping with fixed thresholds: He et al. 2022 (arXiv 2212.01539), one C_l for each parameter tensor.

w_l = min(1, C_l / n_l), sum_l C_l^2 = C^2

K = sqrt(sum_l C_l^2) = C: with noise of standard deviation noise_multiplier C on every tensor ("global") the noise is
flat clipping's. The other two allocations of He et al. cost the same privacy; see ``shares``.

``bounds``: uniform (C_l = C / sqrt(L)), dimension (C_l in proportion to the root of the tensor's size), or the
proportions themselves, a number > 0 for each tensor: ``bounds=1/2/0.5``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from refdp.backend import Array
from refdp.clippers import clippers
from refdp.clippers.base import ClipContext, Clipper
from refdp.clippers.shares import ALLOCATIONS, noise_scales, parse_shares, thresholds
from refdp.errors import RefDPError
from refdp.validate import one_of


@clippers.register("per-layer")
@dataclass(frozen=True)
class PerLayer(Clipper):
    """Clip the gradient of each parameter tensor to its own C_l. K = C."""

    clip_norm: float
    bounds: str = "uniform"
    allocation: str = "global"
    name: ClassVar[str] = "per-layer"
    equation: ClassVar[str] = "w_l = min(1, C_l / n_l), C_l = C a_l / sqrt(sum_k a_k^2); uniform: C / sqrt(L)"
    bound_equation: ClassVar[str] = "C"
    guarantee: ClassVar[str] = "sum_l min(n_l, C_l)^2 <= sum_l C_l^2 = C^2"
    citation: ClassVar[str] = "He et al. 2022, arXiv 2212.01539"
    per_group: ClassVar[bool] = True
    idempotent: ClassVar[bool] = True
    contribution_monotone: ClassVar[bool] = True
    weight_monotone: ClassVar[bool] = True
    homogeneous: ClassVar[bool] = True
    direction_kept: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        parse_shares(self.bounds)
        one_of(ALLOCATIONS, allocation=self.allocation)

    def scales(self, xp: Any, norms: Array, context: ClipContext) -> Array:
        """min(1, C_l (1 - margin) / n_l), with 1 at n_l = 0."""
        return clip_each(xp, norms, thresholds(self.clip_norm, self.bounds, context.sizes), context.margin)

    def noise_scales(self, context: ClipContext) -> np.ndarray:
        """As ``allocation`` has it."""
        return noise_scales(
            self.allocation, thresholds(self.clip_norm, self.bounds, context.sizes), context.sizes
        )


def clip_each(xp: Any, norms: Array, bounds: Array, margin: float) -> Array:
    """Scales [B, L] that clip group l to bounds_l (1 - margin), with 1 at n_l = 0."""
    if len(bounds) != norms.shape[1]:
        raise RefDPError(f"norms of {norms.shape[1]} groups: the context has thresholds for {len(bounds)}")
    targets = xp.asarray((bounds * (1.0 - margin)).tolist())[None, :]
    return targets / xp.maximum(norms, targets)
