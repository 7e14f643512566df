"""Stochastic gradient descent with heavy-ball (Polyak 1964) or Nesterov momentum, PyTorch's convention:

v <- momentum * v + g        theta <- theta - learning_rate * d

d = v; with Nesterov (Sutskever et al. 2013, rewritten for the look-ahead weights) d = g + momentum * v.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from refdp.backend import Array
from refdp.errors import RefDPError
from refdp.optimizers import optimizers
from refdp.optimizers.base import Optimizer, State, below_one


@optimizers.register("sgd")
@dataclass(frozen=True)
class Sgd(Optimizer):
    """momentum in [0, 1); nesterov needs momentum > 0."""

    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        below_one(momentum=self.momentum)
        if not isinstance(self.nesterov, bool):
            raise RefDPError(f"nesterov = {self.nesterov!r}: must be true or false")
        if self.nesterov and not self.momentum:
            raise RefDPError("nesterov = True: needs momentum > 0; give momentum or leave nesterov out")

    def memory(self, xp: Any, theta: Array) -> State:
        """One velocity, zero."""
        return {"velocity": xp.zeros_like(theta)} if self.momentum else {}

    def step(
        self, xp: Any, theta: Array, gradient: Array, state: State, learning_rate: float, noise_std: float
    ) -> Array:
        """See the module's equations."""
        direction = gradient
        if self.momentum:
            state["velocity"] = self.momentum * state["velocity"] + gradient
            direction = gradient + self.momentum * state["velocity"] if self.nesterov else state["velocity"]
        return theta - learning_rate * direction
