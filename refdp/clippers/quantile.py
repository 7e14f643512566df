"""Quantile-adaptive clipping: Andrew et al. 2021 (arXiv 1905.03871), Algorithm 1. See ``adaptive``.

With ``min_clip_norm`` it is bounded adaptive clipping (arXiv 2506.01396): C does not collapse where most norms do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from refdp.backend import Array
from refdp.clippers import clippers
from refdp.clippers.adaptive import THRESHOLDS, AdaptiveClipper
from refdp.clippers.base import ClipContext


@clippers.register("quantile")
@dataclass(frozen=True)
class Quantile(AdaptiveClipper):
    """Flat clipping to C_t, which follows a quantile of the norms. K = C_t; the count is charged."""

    name: ClassVar[str] = "quantile"
    equation: ClassVar[str] = (
        "w = min(1, C_t / n), C_{t+1} = C_t exp(-rate (b~ - quantile)), b~ the noised share of n <= C_t"
    )
    bound_equation: ClassVar[str] = "C_t"
    guarantee: ClassVar[str] = (
        "n min(1, C_t / n) <= C_t; the centred count moves by 1/2 and is charged beside the sum"
    )
    citation: ClassVar[str] = (
        "Andrew et al. 2021, arXiv 1905.03871, Algorithm 1; min_clip_norm: arXiv 2506.01396"
    )
    direction_kept: ClassVar[bool] = True

    def initial(self, sizes: tuple[int, ...]) -> dict[str, np.ndarray]:
        """C."""
        return {THRESHOLDS: np.array([self.clip_norm])}

    def scales(self, xp: Any, norms: Array, context: ClipContext) -> Array:
        """min(1, C_t (1 - margin) / n), with 1 at n = 0."""
        target = float(self.thresholds(context)[0]) * (1.0 - context.margin)
        return target / xp.maximum(norms, target)
