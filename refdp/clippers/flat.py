"""Flat clipping: Abadi et al. 2016 (arXiv 1607.00133), Algorithm 1.

s = min(1, C / n)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from refdp.backend import Array
from refdp.clippers import clippers
from refdp.clippers.base import LARGEST_CLIP_NORM, SMALLEST_CLIP_NORM, ClipContext, Clipper
from refdp.validate import in_range


@clippers.register("flat")
@dataclass(frozen=True)
class Flat(Clipper):
    """Scale the whole gradient down to norm C, or leave it alone. K = C."""

    clip_norm: float
    name: ClassVar[str] = "flat"

    def __post_init__(self) -> None:
        in_range(SMALLEST_CLIP_NORM, LARGEST_CLIP_NORM, clip_norm=self.clip_norm)

    def bound(self) -> float:
        """C."""
        return self.clip_norm

    def scales(self, xp: Any, norms: Array, context: ClipContext) -> Array:
        """min(1, C (1 - margin) / n), with 1 at n = 0."""
        target = self.clip_norm * (1.0 - context.margin)
        return target / xp.maximum(norms, target)
