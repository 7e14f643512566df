"""Linear warm-up, then constant (Goyal et al. 2017, arXiv 1706.02677, section 2.2), by the step."""

from dataclasses import dataclass

from refdp.optimizers import lr_schedules
from refdp.optimizers.base import LearningRateSchedule
from refdp.validate import whole


@lr_schedules.register("warmup")
@dataclass(frozen=True)
class Warmup(LearningRateSchedule):
    """factor = min(1, (step + 1) / W), W = ``steps`` >= 1: no step, and no privacy, is spent at rate 0."""

    steps: int

    def __post_init__(self) -> None:
        whole(1, steps=self.steps)

    def factor(self, step: int, steps: int) -> float:
        """From 1 / W up to 1, reached at step W - 1."""
        return min(1.0, (step + 1) / self.steps)
