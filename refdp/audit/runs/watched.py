"""An optimizer that lets somebody see what it is handed: the release, as it leaves the private part of a step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from refdp.backend import Array
from refdp.optimizers.base import Optimizer, State


@dataclass(frozen=True)
class Watched(Optimizer):
    """``inner``, whose every gradient ``saw`` is told of, in the weights' own type, before it takes effect."""

    inner: Optimizer
    saw: Callable[[Array], None]

    def initial_state(self, xp: Any, theta: Array) -> State:
        """The inner one's."""
        return self.inner.initial_state(xp, theta)

    def update(
        self,
        xp: Any,
        theta: Array,
        gradient: Array,
        state: State,
        learning_rate: float,
        noise_std: float = 0.0,
    ) -> Array:
        """Tell, then update as the inner one does."""
        self.saw(gradient)
        return self.inner.update(xp, theta, gradient, state, learning_rate, noise_std)

    def weights(self, theta: Array, state: State) -> Array:
        """The inner one's."""
        return self.inner.weights(theta, state)

    def step(
        self, xp: Any, theta: Array, gradient: Array, state: State, learning_rate: float, noise_std: float
    ) -> Array:
        """The inner one's rule."""
        return self.inner.step(xp, theta, gradient, state, learning_rate, noise_std)
