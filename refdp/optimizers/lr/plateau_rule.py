"""Reduce the learning rate when an accuracy stops rising: PyTorch's ReduceLROnPlateau with mode max.

A metric is better where it exceeds best (1 + threshold). After more than ``patience`` others in a row the factor is
multiplied by ``reduction``, not below ``lowest``, and the count starts again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from refdp.optimizers.base import LearningRateSchedule
from refdp.validate import in_range, whole

State = dict[str, float]


@dataclass(frozen=True)
class Plateau(LearningRateSchedule):
    """A learning rate that follows an accuracy, observed every ``every`` steps (an epoch's, by default).

    Attributes:
        reduction: what the factor is multiplied by, in (0, 1).
        patience: observations without improvement that are waited for, >= 0.
        threshold: relative improvement that counts, >= 0.
        lowest: smallest factor, in [0, 1].
    """

    reduction: float = field(default=0.1, kw_only=True)
    patience: int = field(default=10, kw_only=True)
    threshold: float = field(default=1e-4, kw_only=True)
    lowest: float = field(default=0.0, kw_only=True)
    every: int | None = field(default=None, kw_only=True)
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = {
        "reduction": (1e-6, 0.999999),
        "threshold": (0.0, 1.0),
        "lowest": (0.0, 1.0),
    }

    def __post_init__(self) -> None:
        for name, (low, high) in self.ranges.items():
            if getattr(self, name) is not None:
                in_range(low, high, **{name: getattr(self, name)})
        whole(0, patience=self.patience)
        if self.every is not None:
            whole(1, every=self.every)

    def factor(self, step: int, steps: int, state: Mapping[str, float] | None = None) -> float:
        """The factor that the observations so far led to."""
        return 1.0 if state is None else state["factor"]

    def initial(self) -> State:
        """Before the first observation."""
        return {"best": -math.inf, "waited": 0.0, "factor": 1.0}

    def observed(self, state: Mapping[str, float], accuracy: float) -> State:
        """The state after one more accuracy."""
        best, waited, factor = state["best"], state["waited"], state["factor"]
        if accuracy > best * (1 + self.threshold):
            return {"best": accuracy, "waited": 0.0, "factor": factor}
        waited += 1
        if waited > self.patience:
            waited, factor = 0.0, max(factor * self.reduction, self.lowest)
        return {"best": best, "waited": waited, "factor": factor}
