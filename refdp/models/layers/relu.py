"""Rectifier: y = max(x, 0)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from refdp.backend import Array, fused
from refdp.models.layers.base import Layer


@dataclass(frozen=True)
class Relu(Layer):
    """y = max(x, 0), elementwise; the derivative at 0 is 0, as in PyTorch. NaN stays NaN."""

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return input_shape

    def forward(self, xp: Any, params: dict[str, Array], x: Array) -> tuple[Array, Array]:
        y = xp.maximum(x, 0)
        return y, y

    def input_gradient(self, xp: Any, params: dict[str, Array], cache: Array, dy: Array) -> Array:
        """dx = dy where y > 0, else 0."""
        return _relu_backward(xp, cache, dy)


@fused
def _relu_backward(xp: Any, y: Array, dy: Array) -> Array:
    return dy * (y > 0).astype(dy.dtype)  # a third faster in numpy than with the truth values
