"""Water-filling: one cap tau for the norms of all parameter tensors, as high as the bound C allows (s0).

w_l = min(1, tau / n_l), with sum_l min(n_l, tau)^2 = C^2 where n > C, and tau = inf elsewhere

tau is found by sorting. Let a_1 <= ... <= a_L be the norms and S_k = a_1^2 + ... + a_k^2. With the k smallest left
alone the others stand at t_k^2 = (C^2 - S_k) / (L - k), and t_{k+1} >= t_k just where all of them at a_{k+1} or below
fit: S_k + (L - k) a_{k+1}^2 <= C^2. The left side grows with k, so t_k rises and then falls, and tau is the
largest t_k. (Where everything fits the largest is t_{L-1} >= a_L: nothing is capped.)

K = C: a norm above C is above tau too, so norms are taken as min(n_l, C) / C, in [0, 1]: nothing overflows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from refdp.backend import Array
from refdp.clippers import clippers
from refdp.clippers.base import ClipContext, Clipper


@clippers.register("water-filling")
@dataclass(frozen=True)
class WaterFilling(Clipper):
    """Cap the gradients of the parameter tensors at a common norm. K = C, direction not kept."""

    clip_norm: float
    name: ClassVar[str] = "water-filling"
    equation: ClassVar[str] = "w_l = min(1, tau / n_l), sum_l min(n_l, tau)^2 = C^2 if n > C, else tau = inf"
    bound_equation: ClassVar[str] = "C"
    guarantee: ClassVar[str] = (
        "tau is exact, and a last guard divides by what is left of rounding: sum_l (w_l n_l)^2 <= C^2"
    )
    citation: ClassVar[str] = "MLS-Bench DP-SGD task (s0), water-filling rule; solved exactly here"
    per_group: ClassVar[bool] = True
    idempotent: ClassVar[bool] = True
    contribution_monotone: ClassVar[bool] = True
    weight_monotone: ClassVar[bool] = True
    homogeneous: ClassVar[bool] = True
    direction_kept: ClassVar[bool] = False

    def scales(self, xp: Any, norms: Array, context: ClipContext) -> Array:
        """min(1, tau (1 - margin) / n_l), with 1 at n_l = 0; a row's contribution is at most C (1 - margin)."""
        target, layers = self.target(context), norms.shape[1]
        ratios = xp.minimum(norms, target) / target
        squares = xp.sort(ratios, axis=1) ** 2
        below = xp.concatenate([xp.zeros_like(squares[:, :1]), xp.cumsum(squares, axis=1)[:, :-1]], axis=1)
        capped = layers - xp.arange(layers)
        tau = xp.sqrt(((1.0 - below) / capped).max(axis=1, keepdims=True))
        left = xp.minimum(ratios, tau)
        guard = xp.maximum(xp.sqrt((left**2).sum(axis=1, keepdims=True)), 1.0)
        level = xp.minimum(tau, 1.0) * target
        return level / xp.maximum(norms, level) / guard
