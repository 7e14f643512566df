"""Max pooling, separable: the maximum over a square is the maximum over rows of the maxima over columns.

Taking columns first and, at each of the two steps, the earlier candidate on ties picks the first maximum in
reading order, which is the one PyTorch sends the gradient to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from refdp import validate
from refdp.backend import Array
from refdp.models.layers import windows
from refdp.models.layers.base import Layer

ROWS, COLUMNS = 1, 2  # axes of [B, H, W, C]


@dataclass(frozen=True)
class MaxPool2d(Layer):
    """y[b, i, j, c] = max over r, s < size of x[b, i*stride + r, j*stride + s, c]. Windows may overlap.

    Shapes: x [B, H, W, C], y [B, (H-size)//stride + 1, (W-size)//stride + 1, C]. NaN wins, as in PyTorch.
    """

    size: int
    stride: int

    def __post_init__(self) -> None:
        validate.whole(1, size=self.size, stride=self.stride)

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        windows.check_image("max_pool2d", input_shape, self.size)
        height, width, channels = input_shape
        return (
            windows.count(height, self.size, self.stride),
            windows.count(width, self.size, self.stride),
            channels,
        )

    def forward(self, xp: Any, params: dict[str, Array], x: Array) -> tuple[Array, Any]:
        across, column_wins = self._maximum(xp, x, COLUMNS)
        y, row_wins = self._maximum(xp, across, ROWS)
        return y, (x.shape, column_wins, across.shape, row_wins)

    def input_gradient(self, xp: Any, params: dict[str, Array], cache: Any, dy: Array) -> Array:
        x_shape, column_wins, across_shape, row_wins = cache
        dacross = self._spread(xp, dy, across_shape, row_wins, ROWS)
        return self._spread(xp, dacross, x_shape, column_wins, COLUMNS)

    def _maximum(self, xp: Any, x: Array, axis: int) -> tuple[Array, list[Array]]:
        """Running maximum along one axis, and for each offset > 0 where it beat all offsets before it."""
        best, *others = (x[self._at(offset, axis, x.shape[axis])] for offset in range(self.size))
        wins = []
        for candidate in others:
            wins.append(candidate > best)
            best = xp.maximum(best, candidate)
        return best, wins

    def _spread(self, xp: Any, dy: Array, shape: tuple[int, ...], wins: list[Array], axis: int) -> Array:
        """Transpose of ``_maximum``: the last offset that won takes the gradient, offset 0 if none did."""
        taken = []
        for offset in range(self.size - 1, 0, -1):
            taken.append((offset, dy * wins[offset - 1].astype(dy.dtype)))
            dy = dy - taken[-1][1]
        dx = xp.empty(shape, dtype=dy.dtype)
        if self.stride > 1:
            dx[...] = 0
        else:  # offset 0 writes all but the last
            dx[(slice(None),) * axis + (slice(dy.shape[axis], None),)] = 0
        dx[self._at(0, axis, shape[axis])] = dy
        for offset, gradient in taken:
            dx[self._at(offset, axis, shape[axis])] += gradient
        return dx

    def _at(self, offset: int, axis: int, length: int) -> tuple[slice, ...]:
        """Index of the values at ``offset`` inside each window along ``axis``."""
        number = windows.count(length, self.size, self.stride)
        return (slice(None),) * axis + (windows.seen_at(offset, number, self.stride),)
