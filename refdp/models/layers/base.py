"""What every layer provides: shapes, PyTorch's initialisation, forward, and the two backward passes.

Activations are channels-last, ``[B, H, W, C]`` for images and ``[B, F]`` for vectors. A layer holds
hyper-parameters only; parameters, the array module ``xp`` and what the backward pass needs (``cache``) are
arguments, so one layer object serves any backend, any parameters and any number of workers.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from refdp.backend import Array
from refdp.models.layers.held import Held, of_rows


class Layer(ABC):
    """One step of a network: y = f(x, params), applied to each sample of a batch on its own.

    G1. ``squared_norms`` is never below the squared norm of what ``weighted_gradients`` adds for a sample of weight 1,
        but for the rounding of that sum.
    """

    ghost: ClassVar[bool] = False
    """Whether norms without gradients are the cheaper way, and so the one that the mode ``hybrid`` takes here."""

    @property
    def spared(self) -> int:
        """Number of parameters whose gradients ``hybrid`` spares work on."""
        return sum(math.prod(shape) for shape in self.parameter_shapes().values()) if self.ghost else 0

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

    def prepared(self, xp: Any, params: dict[str, Array]) -> dict[str, Any]:
        """The parameters, with what follows from them alone: made once for all chunks of a batch."""
        return params

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

    def squared_norms(self, xp: Any, params: dict[str, Array], cache: Any, dy: Array) -> dict[str, Array]:
        """|d loss_b / d param|^2, float64 [B] by name: without making those gradients, where the layer knows how."""
        return of_rows(xp, self._rows(xp, cache, dy)).squares

    def weighted_gradients(
        self,
        xp: Any,
        params: dict[str, Array],
        cache: Any,
        dy: Array,
        weights: dict[str, Array],
        usable: Array | None,
        out: dict[str, Array],
    ) -> None:
        """Write Σ_b weights[name][b] d loss_b / d param into out[name]: see ``Held.weigh``."""
        of_rows(xp, self._rows(xp, cache, dy)).weigh(weights, usable, out)

    def held(
        self,
        xp: Any,
        params: dict[str, Array],
        cache: Any,
        dy: Array,
        wants_input: bool,
        rows: dict[str, Array] | None,
    ) -> tuple[Array | None, Held]:
        """dx where it is wanted, else None; and this chunk, held for a weighted sum of its gradients.

        Args:
            rows: room for per-sample gradients [B, *parameter_shape] by name, which may be used in any order; None
                where they are not to be made.
        """
        if rows is None or self.ghost:

            def weigh(weights: dict[str, Array], usable: Array | None, out: dict[str, Array]) -> None:
                self.weighted_gradients(xp, params, cache, dy, weights, usable, out)

            squares = self.squared_norms(xp, params, cache, dy)
            return self.input_gradient(xp, params, cache, dy) if wants_input else None, Held(squares, weigh)
        return self.backward(xp, params, cache, dy, rows, wants_input), of_rows(xp, rows)

    def _rows(self, xp: Any, cache: Any, dy: Array) -> dict[str, Array]:
        """Per-sample gradients [B, *parameter_shape] by name."""
        shapes = self.parameter_shapes()
        rows = {name: xp.empty((dy.shape[0], *shape), dtype=dy.dtype) for name, shape in shapes.items()}
        self.per_sample_gradients(xp, cache, dy, rows)
        return rows


def uniform_fan_in(
    shapes: dict[str, tuple[int, ...]], fan_in: int, generator: np.random.Generator
) -> dict[str, np.ndarray]:
    """PyTorch's default for linear and convolution, weights and biases: U(±1/sqrt(fan_in))."""
    bound = 1.0 / math.sqrt(fan_in)
    return {name: generator.uniform(-bound, bound, size=shape) for name, shape in shapes.items()}
