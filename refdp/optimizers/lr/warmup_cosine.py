"""Linear warm-up (Goyal et al. 2017), then cosine annealing over what is left (Loshchilov & Hutter 2017)."""

import math
from dataclasses import dataclass

from refdp.optimizers import lr_schedules
from refdp.optimizers.base import LearningRateSchedule
from refdp.validate import whole


@lr_schedules.register("warmup-cosine")
@dataclass(frozen=True)
class WarmupCosine(LearningRateSchedule):
    """factor = (step + 1) / W below W = ``steps`` >= 1, then (1 + cos(pi (step - W) / (run's steps - W))) / 2."""

    steps: int

    def __post_init__(self) -> None:
        whole(1, steps=self.steps)

    def factor(self, step: int, steps: int) -> float:
        """From 1 / W up to 1, then half a cosine wave towards 0; a run no longer than W only warms up."""
        if step < self.steps:
            return (step + 1) / self.steps
        return 0.5 * (1 + math.cos(math.pi * (step - self.steps) / (steps - self.steps)))
