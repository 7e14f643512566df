"""Hyperbolic tangent, the usual activation for DP-SGD: it bounds what the next layer sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from refdp.backend import Array, fused
from refdp.models.layers.base import Layer


@dataclass(frozen=True)
class Tanh(Layer):
    """y = tanh(x), elementwise."""

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return input_shape

    def forward(self, xp: Any, params: dict[str, Array], x: Array) -> tuple[Array, Array]:
        y = xp.tanh(x)
        return y, y

    def input_gradient(self, xp: Any, params: dict[str, Array], cache: Array, dy: Array) -> Array:
        """dx = dy (1 - y²)."""
        return _tanh_backward(xp, cache, dy)


@fused
def _tanh_backward(xp: Any, y: Array, dy: Array) -> Array:
    return dy * (1 - y * y)
