"""Adam (Kingma & Ba 2015, arXiv 1412.6980), PyTorch's convention:

m <- beta1 m + (1 - beta1) g        v <- beta2 v + (1 - beta2) g^2
theta <- theta - learning_rate * m_hat / (sqrt(v_hat) + eps)

m_hat = m / (1 - beta1^t), v_hat = v / (1 - beta2^t). The divisors are kept as the same averages of ones, which
is as exact and needs no count of steps. ``bias_correction=dp``: see ``second_moment``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from refdp.backend import Array
from refdp.optimizers import optimizers
from refdp.optimizers.base import State, below_one
from refdp.optimizers.second_moment import SecondMoment


@optimizers.register("adam")
@dataclass(frozen=True)
class Adam(SecondMoment):
    """beta1, beta2 in [0, 1)."""

    beta1: float = 0.9
    beta2: float = 0.999

    def __post_init__(self) -> None:
        super().__post_init__()
        below_one(beta1=self.beta1, beta2=self.beta2)

    def memory(self, xp: Any, theta: Array) -> State:
        """Both moments and their weights, zero."""
        zero, one = xp.zeros_like(theta), xp.zeros_like(theta[:1])
        return {"mean": zero, "square": zero.copy(), "mean_weight": one, "square_weight": one.copy()}

    def step(
        self, xp: Any, theta: Array, gradient: Array, state: State, learning_rate: float, noise_std: float
    ) -> Array:
        """See the module's equations."""
        observed = {
            "mean": (self.beta1, gradient),
            "square": (self.beta2, self.square(gradient, noise_std)),
            "mean_weight": (self.beta1, 1.0),
            "square_weight": (self.beta2, 1.0),
        }
        for name, (beta, value) in observed.items():
            state[name] = beta * state[name] + (1 - beta) * value
        mean, square = state["mean"] / state["mean_weight"], state["square"] / state["square_weight"]
        return theta - learning_rate * mean / self.denominator(xp, square)
