"""Cosine annealing without restarts (Loshchilov & Hutter 2017, arXiv 1608.03983, eq. 5), by the step."""

import math
from dataclasses import dataclass

from refdp.optimizers import lr_schedules
from refdp.optimizers.base import LearningRateSchedule


@lr_schedules.register("cosine")
@dataclass(frozen=True)
class Cosine(LearningRateSchedule):
    """factor = (1 + cos(pi step / steps)) / 2: from 1 towards 0."""

    def factor(self, step: int, steps: int) -> float:
        """Half a cosine wave over the run."""
        return 0.5 * (1 + math.cos(math.pi * step / steps))
