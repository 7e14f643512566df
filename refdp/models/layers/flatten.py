"""Images to vectors, for the linear layer that follows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from refdp.backend import Array
from refdp.models.layers.base import Layer


@dataclass(frozen=True)
class Flatten(Layer):
    """y[b] = x[b] read in the order height, width, channel. Vectors pass unchanged.

    PyTorch's images are channels-first, so its flatten reads channel, height, width; ``framework_order``
    relates the two.
    """

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return (math.prod(input_shape),)

    def framework_order(self, input_shape: tuple[int, ...]) -> np.ndarray:
        """order[t] = our position of the value that PyTorch's flatten puts at position t."""
        positions = np.arange(math.prod(input_shape)).reshape(input_shape)
        return np.moveaxis(positions, -1, 0).ravel()

    def forward(self, xp: Any, params: dict[str, Array], x: Array) -> tuple[Array, tuple[int, ...]]:
        return x.reshape(x.shape[0], math.prod(x.shape[1:])), x.shape

    def input_gradient(self, xp: Any, params: dict[str, Array], cache: tuple[int, ...], dy: Array) -> Array:
        return dy.reshape(cache)
