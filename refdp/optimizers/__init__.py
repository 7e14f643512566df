"""Post-processing of released gradients: no privacy cost, whatever they remember."""

from refdp.optimizers.base import LearningRateSchedule, Optimizer
from refdp.registry import Registry

optimizers: Registry[Optimizer] = Registry("optimizer", "refdp.optimizers")
lr_schedules: Registry[LearningRateSchedule] = Registry("learning-rate schedule", "refdp.optimizers.lr")

__all__ = ["LearningRateSchedule", "Optimizer", "lr_schedules", "optimizers"]
