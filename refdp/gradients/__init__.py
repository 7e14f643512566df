"""How one record's gradient is built before it is clipped: from views of the record, at past weights."""

from refdp.gradients.base import Augmentation, Iterates
from refdp.gradients.mode import PER_SAMPLE, per_sample_mode
from refdp.gradients.record import record_gradients
from refdp.registry import Registry

augmentations: Registry[Augmentation] = Registry("augmentation", "refdp.gradients.views")
iterates: Registry[Iterates] = Registry("iterates", "refdp.gradients.past")

__all__ = [
    "PER_SAMPLE",
    "Augmentation",
    "Iterates",
    "augmentations",
    "iterates",
    "per_sample_mode",
    "record_gradients",
]
