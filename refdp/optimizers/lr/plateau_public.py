"""ReduceLROnPlateau as frameworks have it, on the accuracy over the test records.

ASSUMES that the test records are public: the learning rate, and so the weights, then depend on them without noise, and
no epsilon here covers them. The run's privacy statement says so. Without that assumption take ``plateau``.
"""

from __future__ import annotations

from dataclasses import dataclass

from refdp.optimizers import lr_schedules
from refdp.optimizers.lr.plateau_rule import Plateau


@lr_schedules.register("plateau-public")
@dataclass(frozen=True)
class PublicPlateau(Plateau):
    """The rule of ``plateau_rule`` on test accuracy."""
