"""What every canary is: a slot of the data set that a fair coin fills or leaves out, and a way to look for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from refdp.backend import Array
from refdp.data import Dataset, Split

if TYPE_CHECKING:
    from refdp.audit.runs.trainer import AuditTrainer


class Watch(ABC):
    """One run's canaries and its adversary.

    Attributes:
        trainer: the run.
    """

    def __init__(self, trainer: AuditTrainer) -> None:
        self.trainer = trainer

    def slots_sum(self, slots: np.ndarray) -> Array:
        """What drawn canary slots (numbered from 0) add to a step's sum [D]; by default their records' gradients."""
        planted = slots[self.trainer.planted[slots]]
        return self.trainer.records_sum(planted + self.trainer.records)

    def records_sum(self, indices: np.ndarray) -> Array:
        """What drawn records add to a step's sum [D]; by default their clipped gradients."""
        return self.trainer.records_sum(indices)

    @abstractmethod
    def saw(self, released: Array) -> None:
        """A step's release, the noisy sum float64 [D], before the weights move."""

    @abstractmethod
    def scores(self) -> np.ndarray:
        """Of all steps so far, float64 [canaries + references]: higher where more like a member."""


class Canary(ABC):
    """A registered kind: a frozen dataclass.

    G1. A planted canary is drawn into batches by the run's own sampler, as any record is, and clipped by the run's own
        rule, so that it adds at most K.
    G2. Canaries are chosen without a look at the coins, and the coins without a look at them.

    Attributes:
        gradient_space: whether canaries are gradients, not records: then only released sums can show them.
        alone: whether a run has one canary only.
        defaults: of an audit's choices, where this kind has its own.
    """

    name: ClassVar[str]
    statement: ClassVar[str]
    gradient_space: ClassVar[bool] = False
    alone: ClassVar[bool] = False
    defaults: ClassVar[Mapping[str, Any]] = {}

    def room(self, coordinates: int, held_out: int) -> int:
        """How many canaries and references there can be, given the model's parameters and the held-out records."""
        return coordinates

    @abstractmethod
    def records(self, data: Dataset, count: int, generator: np.random.Generator) -> Split:
        """The records in the slots of ``count`` canaries and references; of no influence in gradient space."""

    @abstractmethod
    def watch(self, trainer: AuditTrainer, generator: np.random.Generator) -> Watch:
        """The white-box adversary of one run; ``generator`` is this run's own."""
