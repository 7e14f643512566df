"""Per-layer clipping: He et al. 2022 (arXiv 2212.01539), thresholds C_l = C / sqrt(L) for L parameter tensors.

w_l = min(1, C_l / n_l)

K = sqrt(sum_l C_l^2) for any thresholds; these make it C, so that the noise is flat clipping's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from refdp.backend import Array
from refdp.clippers import clippers
from refdp.clippers.base import ClipContext, Clipper


@clippers.register("per-layer")
@dataclass(frozen=True)
class PerLayer(Clipper):
    """Clip the gradient of each parameter tensor to C / sqrt(L). K = C."""

    clip_norm: float
    name: ClassVar[str] = "per-layer"
    equation: ClassVar[str] = "w_l = min(1, C / (sqrt(L) n_l))"
    bound_equation: ClassVar[str] = "C"
    guarantee: ClassVar[str] = "sum_l min(n_l, C / sqrt(L))^2 <= L C^2 / L = C^2"
    citation: ClassVar[str] = "He et al. 2022, arXiv 2212.01539"
    per_group: ClassVar[bool] = True
    idempotent: ClassVar[bool] = True
    contribution_monotone: ClassVar[bool] = True
    weight_monotone: ClassVar[bool] = True
    homogeneous: ClassVar[bool] = True
    direction_kept: ClassVar[bool] = False

    def scales(self, xp: Any, norms: Array, context: ClipContext) -> Array:
        """min(1, C_l (1 - margin) / n_l), with 1 at n_l = 0."""
        target = self.target(context) / math.sqrt(norms.shape[1])
        return target / xp.maximum(norms, target)
