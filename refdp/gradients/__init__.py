"""How one record's gradient is built before it is clipped: from views of the record, at past weights."""

from refdp.gradients.base import Augmentation, Iterates
from refdp.gradients.record import record_gradients
from refdp.registry import Registry

augmentations: Registry[Augmentation] = Registry("augmentation", "refdp.gradients.views")
iterates: Registry[Iterates] = Registry("iterates", "refdp.gradients.past")

__all__ = ["Augmentation", "Iterates", "augmentations", "iterates", "record_gradients"]
