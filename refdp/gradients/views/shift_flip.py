"""Random shifts and horizontal flips: De et al. 2022 (arXiv 2204.13650, section 3), 16 views for CIFAR-10."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from refdp.gradients import augmentations
from refdp.gradients.views.shift import Shift


@augmentations.register("shift-flip")
@dataclass(frozen=True)
class ShiftFlip(Shift):
    """As ``shift``, and each view is mirrored left to right with probability 1/2 (not for digits)."""

    flips: ClassVar[int] = 2
