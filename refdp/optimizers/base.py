"""What an optimizer and a learning-rate schedule are.

Every optimizer can average its weights (``average=D``), as De et al. 2022 (arXiv 2204.13650) do:

a <- d_t a + (1 - d_t) theta        d_t = min(D, (1 + t) / (10 + t)), t = 0, 1, ...

Training goes on from theta; a is what is evaluated and shared. It costs no privacy.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

from refdp.backend import Array
from refdp.errors import RefDPError
from refdp.validate import non_negative

State = dict[str, Array]


def below_one(**values: float) -> None:
    """Each value is a decay: a number in [0, 1)."""
    non_negative(**values)
    for name, value in values.items():
        if value >= 1:
            raise RefDPError(f"{name} = {value!r}: must be < 1")


@dataclass(frozen=True)
class Optimizer(ABC):
    """Turns released gradients into new weights; ``average`` in [0, 1), 0 for none.

    G1. It sees nothing of the data but what was released.
    """

    average: float = field(default=0.0, kw_only=True)

    def __post_init__(self) -> None:
        below_one(average=self.average)

    def initial_state(self, xp: Any, theta: Array) -> State:
        """Its memory before the first step: named arrays of theta's type, saved in checkpoints."""
        state = self.memory(xp, theta)
        if self.average:
            state |= {"average": theta.copy(), "averaged_steps": xp.zeros_like(theta[:1])}
        return state

    def update(
        self,
        xp: Any,
        theta: Array,
        gradient: Array,
        state: State,
        learning_rate: float,
        noise_std: float = 0.0,
    ) -> Array:
        """New weights [D] from released gradient [D]; ``state`` is changed in place.

        ``noise_std`` is public: the standard deviation of the noise in each coordinate of ``gradient``.
        """
        theta = self.step(xp, theta, gradient, state, learning_rate, noise_std)
        if self.average:
            t = state["averaged_steps"]
            decay = xp.minimum((1.0 + t) / (10.0 + t), self.average)
            state["average"] = theta + decay * (state["average"] - theta)
            state["averaged_steps"] = t + 1.0
        return theta

    def weights(self, theta: Array, state: State) -> Array:
        """The weights [D] to evaluate and share: theta, or its average."""
        return state["average"] if self.average else theta

    def memory(self, xp: Any, theta: Array) -> State:
        """What the rule itself remembers, before the first step."""
        return {}

    @abstractmethod
    def step(
        self, xp: Any, theta: Array, gradient: Array, state: State, learning_rate: float, noise_std: float
    ) -> Array:
        """The rule: new weights [D]; entries of ``state`` are replaced."""


class LearningRateSchedule(ABC):
    """A public function of the step."""

    @abstractmethod
    def factor(self, step: int, steps: int) -> float:
        """What the base learning rate is multiplied by at this step (0-based) of ``steps``."""
