"""What every layer provides: shapes, PyTorch's initialisation, forward, and the two backward passes.

Activations are channels-last, ``[B, H, W, C]`` for images and ``[B, F]`` for vectors. A layer holds
hyper-parameters only; parameters, the array module ``xp`` and what the backward pass needs (``cache``) are
arguments, so one layer object serves any backend, any parameters and any number of workers.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from refdp.backend import Array


class Layer(ABC):
    """One step of a network: y = f(x, params), applied to each sample of a batch on its own."""

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the parameters, in the order they are stored. None by default."""
        return {}

    def framework_axes(self) -> dict[str, tuple[int, ...]]:
        """For each parameter stored in another axis order than PyTorch's: the transpose to PyTorch's."""
        return {}

    def initialise(self, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """Draw the parameters, float64 on the host, from PyTorch's default distribution."""
        return {}

    @abstractmethod
    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of one output sample; raises RefDPError where the layer cannot take the input."""

    @abstractmethod
    def forward(self, xp: Any, params: dict[str, Array], x: Array) -> tuple[Array, Any]:
        """x [B, *input_shape] -> (y [B, *output_shape], cache)."""

    @abstractmethod
    def input_gradient(self, xp: Any, params: dict[str, Array], cache: Any, dy: Array) -> Array:
        """dy = d loss / d y -> dx = d loss / d x, same shapes as y and x."""

    def per_sample_gradients(self, xp: Any, cache: Any, dy: Array, out: dict[str, Array]) -> None:
        """Write d loss_b / d param, for each sample b, into out[name] of shape [B, *parameter_shape]."""
        return

    def backward(
        self,
        xp: Any,
        params: dict[str, Array],
        cache: Any,
        dy: Array,
        out: dict[str, Array],
        wants_input: bool,
    ) -> Array | None:
        """Both backward passes at once, for layers where they share work: dx where it is wanted, else None."""
        self.per_sample_gradients(xp, cache, dy, out)
        return self.input_gradient(xp, params, cache, dy) if wants_input else None


def uniform_fan_in(
    shapes: dict[str, tuple[int, ...]], fan_in: int, generator: np.random.Generator
) -> dict[str, np.ndarray]:
    """PyTorch's default for linear and convolution, weights and biases: U(±1/sqrt(fan_in))."""
    bound = 1.0 / math.sqrt(fan_in)
    return {name: generator.uniform(-bound, bound, size=shape) for name, shape in shapes.items()}
