"""What an optimizer and a learning-rate schedule are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from refdp.backend import Array

State = dict[str, Array]


class Optimizer(ABC):
    """Turns released gradients into new weights. G1. It sees nothing of the data but what was released."""

    @abstractmethod
    def initial_state(self, xp: Any, theta: Array) -> State:
        """Its memory before the first step: named arrays, saved in checkpoints."""

    @abstractmethod
    def update(self, xp: Any, theta: Array, gradient: Array, state: State, learning_rate: float) -> Array:
        """New weights [D] from released gradient [D]; ``state`` is changed in place."""


class LearningRateSchedule(ABC):
    """A public function of the step."""

    @abstractmethod
    def factor(self, step: int, steps: int) -> float:
        """What the base learning rate is multiplied by at this step (0-based) of ``steps``."""
