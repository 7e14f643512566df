"""Random shifts of an image: De et al. 2022 (arXiv 2204.13650, section 3), "random crops with padding".

Each view is moved by up to ``pixels`` in either direction, the edge mirrored (as numpy's and De et al.'s "reflect").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from refdp.backend import Array
from refdp.errors import RefDPError
from refdp.gradients import augmentations
from refdp.gradients.base import Augmentation
from refdp.validate import whole


@augmentations.register("shift")
@dataclass(frozen=True)
class Shift(Augmentation):
    """``views`` views a record, each shifted by a draw from {-pixels, ..., pixels} in height and in width."""

    pixels: int = 4
    flips: ClassVar[int] = 1
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = {"pixels": (0, 64)}

    def __post_init__(self) -> None:
        super().__post_init__()
        whole(0, pixels=self.pixels)

    def check(self, input_shape: tuple[int, ...]) -> None:
        """Images [H, W, C] with sides above ``pixels``."""
        if len(input_shape) != 3 or min(input_shape[:2]) <= self.pixels:
            raise RefDPError(
                f"input_shape = {input_shape}: shifts by {self.pixels} pixels need images with sides above that; "
                "leave --augmentation out"
            )

    def draw(self, generator: np.random.Generator, records: int) -> np.ndarray:
        """Shift in height, shift in width, and whether to flip (0 without)."""
        high = (2 * self.pixels + 1, 2 * self.pixels + 1, self.flips)
        return generator.integers(0, high, size=(records, self.views, 3), dtype=np.uint8)

    def view(self, xp: Any, x: Array, drawn: Array) -> Array:
        """Mirrored at the edges: position -1 shows pixel 1."""
        height, width = x.shape[1:3]
        drawn = drawn.astype(xp.int64)
        rows = xp.abs(xp.arange(height)[None, :] + drawn[:, :1] - self.pixels)
        columns = xp.abs(xp.arange(width)[None, :] + drawn[:, 1:2] - self.pixels)
        rows = xp.minimum(rows, 2 * (height - 1) - rows)
        columns = xp.minimum(columns, 2 * (width - 1) - columns)
        columns = xp.where(drawn[:, 2:] > 0, columns[:, ::-1], columns)
        record = xp.arange(x.shape[0])[:, None, None]
        return x[record, rows[:, :, None], columns[:, None, :]]
