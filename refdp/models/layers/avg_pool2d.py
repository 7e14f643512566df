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
        y = self._added(xp, self._added(xp, x, COLUMNS), ROWS)
        y *= 1 / self.size**2
        return y, x.shape

    def input_gradient(self, xp: Any, params: dict[str, Array], cache: tuple[int, ...], dy: Array) -> Array:
        batch, height, _, channels = cache
        dacross = self._spread(xp, dy * (1 / self.size**2), (batch, height, dy.shape[2], channels), ROWS)
        return self._spread(xp, dacross, cache, COLUMNS)

    def _added(self, xp: Any, x: Array, axis: int) -> Array:
        """The sum over the windows along one axis, in an array of its own."""
        first, *others = (x[at] for at in self._windows(x.shape, axis))
        total = first + others[0] if others else first.copy()
        for other in others[1:]:
            total += other
        return total

    def _spread(self, xp: Any, dy: Array, shape: tuple[int, ...], axis: int) -> Array:
        """The transpose of ``_added``."""
        dx = xp.zeros(shape, dtype=dy.dtype)
        for at in self._windows(shape, axis):
            if self.stride >= self.size:  # windows do not overlap
                dx[at] = dy
            else:
                dx[at] += dy
        return dx

    def _windows(self, shape: tuple[int, ...], axis: int) -> list[tuple[slice, ...]]:
        """For each offset, the index of the values that stand there inside the windows along ``axis``."""
        number = windows.count(shape[axis], self.size, self.stride)
        return [
            (slice(None),) * axis + (windows.seen_at(offset, number, self.stride),)
            for offset in range(self.size)
        ]
