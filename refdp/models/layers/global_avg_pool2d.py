"""Global average pooling: an image becomes the vector of its channels' means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from refdp.backend import Array
from refdp.models.layers import windows
from refdp.models.layers.base import Layer


@dataclass(frozen=True)
class GlobalAvgPool2d(Layer):
    """y[b, c] = (1 / HW) Σ over i, j of x[b, i, j, c]; what PyTorch writes as average pool and flatten."""

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        windows.check_image("global_avg_pool2d", input_shape, 1)
        return input_shape[2:]

    def forward(self, xp: Any, params: dict[str, Array], x: Array) -> tuple[Array, tuple[int, ...]]:
        batch, height, width, channels = x.shape
        ones = xp.full((1, height * width), 1 / (height * width), dtype=x.dtype)
        return xp.matmul(ones, x.reshape(batch, height * width, channels))[:, 0, :], x.shape

    def input_gradient(self, xp: Any, params: dict[str, Array], cache: tuple[int, ...], dy: Array) -> Array:
        dx = xp.empty(cache, dtype=dy.dtype)
        dx[...] = (dy * (1 / (cache[1] * cache[2])))[:, None, None, :]
        return dx
