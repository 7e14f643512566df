"""What an event costs: steps of one kind, with their noise multipliers and how often each was taken."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from refdp.accounting.kernels import Kernel


class Charge(NamedTuple):
    """Steps of one kind.

    Attributes:
        kernel: their sampling and relation.
        multipliers: noise multipliers >= 0 (0: no noise), ascending, float64 [M]; where several releases of a step
            are joined, rounded down by up to 16 ulp.
        counts: how many steps had each, > 0, float64 [M].
    """

    kernel: Kernel
    multipliers: np.ndarray
    counts: np.ndarray
