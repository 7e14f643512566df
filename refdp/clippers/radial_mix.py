"""Radial mix: from flat clipping towards AUTO-S in the course of a run (two solutions of s0, 0b and 0c).

w = (1 - m) min(1, C / n) + m C / (n + gamma C), m_t = m0 + (m1 - m0) (1 - cos(pi t / (T - 1))) / 2

0b: gamma = 0.02, m0 = 0.15, m1 = 0.8. 0c, with f = min(1, epochs / 30): gamma = 0.03 - 0.01 f, m0 = 0.05 + 0.1 f,
m1 = 0.55 + 0.25 f. Values given take the place of the variant's. m does not depend on data: it costs no privacy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from refdp.backend import Array
from refdp.clippers import clippers
from refdp.clippers.base import POSITIVE_RANGE, SMALLEST_NORM, ClipContext, Clipper
from refdp.errors import RefDPError
from refdp.validate import one_of, whole


@clippers.register("radial-mix")
@dataclass(frozen=True)
class RadialMix(Clipper):
    """Flat clipping and relative AUTO-S, mixed by public weights. K = C."""

    clip_norm: float
    variant: str = "0b"
    epochs: int | None = None
    m0: float | None = None
    m1: float | None = None
    gamma: float | None = None
    name: ClassVar[str] = "radial-mix"
    equation: ClassVar[str] = (
        "w = (1 - m) min(1, C / n) + m C / (n + gamma C), m = m0 + (m1 - m0) (1 - cos(pi t / (T - 1))) / 2"
    )
    bound_equation: ClassVar[str] = "C"
    guarantee: ClassVar[str] = "a mean, weighted 1 - m and m in [0, 1], of two contributions of norm <= C"
    citation: ClassVar[str] = "MLS-Bench DP-SGD task (s0), solutions 0b and 0c"
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = {
        "m0": (0.0, 1.0),
        "m1": (0.0, 1.0),
        "gamma": POSITIVE_RANGE,
        "epochs": (1, 1e6),
    }
    idempotent: ClassVar[bool] = False
    contribution_monotone: ClassVar[bool] = True
    weight_monotone: ClassVar[bool] = True
    homogeneous: ClassVar[bool] = True
    direction_kept: ClassVar[bool] = True

    def __post_init__(self) -> None:
        one_of(("0b", "0c"), variant=self.variant)
        if self.epochs is not None:
            whole(1, epochs=self.epochs)
        if (self.variant == "0c") != (self.epochs is not None):
            raise RefDPError(
                f"epochs = {self.epochs!r}, variant = {self.variant!r}: epochs belongs to 0c, which needs it; "
                f"write variant=0c,epochs=30 or neither"
            )
        super().__post_init__()

    def blend(self) -> tuple[float, float, float]:
        """m0, m1 and gamma: the variant's, but where values were given."""
        f = 1.0 if self.epochs is None else min(1.0, self.epochs / 30)
        named = (
            (0.15, 0.8, 0.02) if self.variant == "0b" else (0.05 + 0.1 * f, 0.55 + 0.25 * f, 0.03 - 0.01 * f)
        )
        given = (self.m0, self.m1, self.gamma)
        m0, m1, gamma = (
            own if own is not None else default for own, default in zip(given, named, strict=True)
        )
        return m0, m1, gamma

    def mix(self, context: ClipContext) -> float:
        """m at this step, in [0, 1]; m0 where the run has one step."""
        m0, m1, _ = self.blend()
        progress = (1.0 - math.cos(math.pi * context.step / max(context.steps - 1, 1))) / 2.0
        return min(max(m0 + (m1 - m0) * progress, 0.0), 1.0)

    def scales(self, xp: Any, norms: Array, context: ClipContext) -> Array:
        """The two weights at C (1 - margin), mixed."""
        target, m, gamma = self.target(context), self.mix(context), self.blend()[2] * self.clip_norm
        n = xp.maximum(norms, SMALLEST_NORM)
        return (1.0 - m) * (target / xp.maximum(n, target)) + m * (target / (n + gamma))
