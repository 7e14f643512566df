"""Average pooling, separable: first along the columns, then along the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from refdp import validate
from refdp.backend import Array
from refdp.models.layers import windows
from refdp.models.layers.base import Layer

ROWS, COLUMNS = 1, 2  # axes of [B, H, W, C]


@dataclass(frozen=True)
class AvgPool2d(Layer):
    """y[b, i, j, c] = (1 / size²) Σ over r, s < size of x[b, i*stride + r, j*stride + s, c].

    Shapes: x [B, H, W, C], y [B, (H-size)//stride + 1, (W-size)//stride + 1, C]. Windows may overlap; rows and
    columns that fill no window are left out (gradient 0), as in PyTorch.
    """

    size: int
    stride: int

    def __post_init__(self) -> None:
        validate.whole(1, size=self.size, stride=self.stride)

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        windows.check_image("avg_pool2d", input_shape, self.size)
        height, width, channels = input_shape
        return (
            windows.count(height, self.size, self.stride),
            windows.count(width, self.size, self.stride),
            channels,
        )

    def forward(self, xp: Any, params: dict[str, Array], x: Array) -> tuple[Array, tuple[int, ...]]:
        across = sum((x[at] for at in self._windows(x.shape, COLUMNS)), start=0)
        y = sum((across[at] for at in self._windows(across.shape, ROWS)), start=0)
        y *= 1 / self.size**2
        return y, x.shape

    def input_gradient(self, xp: Any, params: dict[str, Array], cache: tuple[int, ...], dy: Array) -> Array:
        batch, height, _, channels = cache
        dacross = xp.zeros((batch, height, dy.shape[2], channels), dtype=dy.dtype)
        dy = dy * (1 / self.size**2)
        for at in self._windows(dacross.shape, ROWS):
            dacross[at] += dy
        dx = xp.zeros(cache, dtype=dy.dtype)
        for at in self._windows(cache, COLUMNS):
            dx[at] += dacross
        return dx

    def _windows(self, shape: tuple[int, ...], axis: int) -> list[tuple[slice, ...]]:
        """For each offset, the index of the values that stand there inside the windows along ``axis``."""
        number = windows.count(shape[axis], self.size, self.stride)
        return [
            (slice(None),) * axis + (windows.seen_at(offset, number, self.stride),)
            for offset in range(self.size)
        ]
