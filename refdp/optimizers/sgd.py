"""Stochastic gradient descent with heavy-ball momentum (Polyak 1964), PyTorch's convention:

v <- momentum * v + g        theta <- theta - learning_rate * v
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from refdp.backend import Array
from refdp.errors import RefDPError
from refdp.optimizers import optimizers
from refdp.optimizers.base import Optimizer, State
from refdp.validate import non_negative


@optimizers.register("sgd")
@dataclass(frozen=True)
class Sgd(Optimizer):
    """momentum in [0, 1)."""

    momentum: float = 0.0

    def __post_init__(self) -> None:
        non_negative(momentum=self.momentum)
        if self.momentum >= 1:
            raise RefDPError(f"momentum = {self.momentum!r}: must be < 1")

    def initial_state(self, xp: Any, theta: Array) -> State:
        """One velocity, zero."""
        return {"velocity": xp.zeros_like(theta)} if self.momentum else {}

    def update(self, xp: Any, theta: Array, gradient: Array, state: State, learning_rate: float) -> Array:
        """See the module's equations."""
        if self.momentum:
            state["velocity"] = self.momentum * state["velocity"] + gradient
            gradient = state["velocity"]
        return theta - learning_rate * gradient
