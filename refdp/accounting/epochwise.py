"""What epochs of changing noise are charged, from a table of noise multipliers [epochs, batches of an epoch].

inf stands where an epoch took no step. A record takes part once an epoch, in one batch.
"""

from __future__ import annotations

import numpy as np


def least_of_each_epoch(table: np.ndarray) -> np.ndarray:
    """Shuffled: the record may have met the least noise of every epoch; float64 [epochs]."""
    found: np.ndarray = table.min(axis=1)
    return found


def worst_position(table: np.ndarray, beside: float = 0.0) -> np.ndarray:
    """Fixed order: the noise at the position whose 1 / multiplier^2 sum highest, where it took a step.

    ``beside`` is 1 / multiplier^2 of what is released beside the gradient at each step taken.
    """
    with np.errstate(divide="ignore"):
        spent = np.where(np.isfinite(table), 1.0 / table**2 + beside, 0.0)
        noise = table[:, int(np.argmax(np.sum(spent, axis=0)))]
    return noise[np.isfinite(noise)]
