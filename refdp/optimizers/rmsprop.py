"""RMSprop (Tieleman & Hinton 2012, lecture 6.5), PyTorch's convention: eps outside the root, v from zero.

v <- alpha v + (1 - alpha) g^2        theta <- theta - learning_rate * g / (sqrt(v) + eps)

``bias_correction=dp``: see ``second_moment``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from refdp.backend import Array
from refdp.optimizers import optimizers
from refdp.optimizers.base import State, below_one
from refdp.optimizers.second_moment import SecondMoment


@optimizers.register("rmsprop")
@dataclass(frozen=True)
class RMSprop(SecondMoment):
    """alpha in [0, 1)."""

    alpha: float = 0.99

    def __post_init__(self) -> None:
        super().__post_init__()
        below_one(alpha=self.alpha)

    def memory(self, xp: Any, theta: Array) -> State:
        """One mean of squares, zero."""
        return {"square": xp.zeros_like(theta)}

    def step(
        self, xp: Any, theta: Array, gradient: Array, state: State, learning_rate: float, noise_std: float
    ) -> Array:
        """See the module's equations."""
        observed = self.square(gradient, noise_std)
        state["square"] = self.alpha * state["square"] + (1 - self.alpha) * observed
        return theta - learning_rate * gradient / self.denominator(xp, state["square"])
