"""Momentum as an exponential moving average of released gradients, from zero:

m <- (1 - gamma) m + gamma g        theta <- theta - learning_rate * m

The post-noise form of DP-PSASC's momentum (arXiv 2411.03059). Heavy-ball SGD of momentum 1 - gamma at gamma
times its learning rate takes the same steps. An average of un-noised sums would carry a record into later
steps unseen by the accountant; this one does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from refdp.backend import Array
from refdp.errors import RefDPError
from refdp.optimizers import optimizers
from refdp.optimizers.base import Optimizer, State
from refdp.validate import positive


@optimizers.register("ema-momentum")
@dataclass(frozen=True)
class EmaMomentum(Optimizer):
    """gamma in (0, 1]; 1 is plain SGD."""

    gamma: float

    def __post_init__(self) -> None:
        super().__post_init__()
        positive(gamma=self.gamma)
        if self.gamma > 1:
            raise RefDPError(f"gamma = {self.gamma!r}: must be <= 1")

    def memory(self, xp: Any, theta: Array) -> State:
        """One average, zero."""
        return {"mean": xp.zeros_like(theta)}

    def step(
        self, xp: Any, theta: Array, gradient: Array, state: State, learning_rate: float, noise_std: float
    ) -> Array:
        """See the module's equations."""
        state["mean"] = (1 - self.gamma) * state["mean"] + self.gamma * gradient
        return theta - learning_rate * state["mean"]
