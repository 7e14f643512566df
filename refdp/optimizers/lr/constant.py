"""The same learning rate throughout."""

from dataclasses import dataclass

from refdp.optimizers import lr_schedules
from refdp.optimizers.base import LearningRateSchedule


@lr_schedules.register("constant")
@dataclass(frozen=True)
class Constant(LearningRateSchedule):
    """factor = 1."""

    def factor(self, step: int, steps: int) -> float:
        """1."""
        return 1.0
