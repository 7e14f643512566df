"""What every sampler is: a rule for batches and, inseparably, the ledger event that rule earns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from refdp.accounting import GaussianEvent, Schedule
from refdp.errors import RefDPError
from refdp.rng import Streams
from refdp.validate import whole


@dataclass(frozen=True)
class Batch:
    """The records of one step.

    Attributes:
        indices: int64 [b]; b may be 0.
        divisor: the public number the noisy sum is divided by; it never depends on any record.
    """

    indices: np.ndarray
    divisor: float


@dataclass
class Sampler(ABC):
    """Chooses each step's records from ``dataset_size`` of them.

    G1. ``events`` describes exactly the distribution of batches that ``batch`` draws, so that no amplification
        can be declared that the sampler does not earn.
    G2. ``batch(step, streams)`` depends on the step and the streams' root only.
    """

    dataset_size: int
    batch_size: int
    name: ClassVar[str]
    default_neighboring: ClassVar[str]
    statement: ClassVar[str]

    def __post_init__(self) -> None:
        whole(1, dataset_size=self.dataset_size, batch_size=self.batch_size)
        if self.batch_size > self.dataset_size:
            raise RefDPError(
                f"batch_size = {self.batch_size}: must not exceed the data set's {self.dataset_size} records"
            )

    @abstractmethod
    def steps(self, epochs: int) -> int:
        """Number of steps of that many passes."""

    @abstractmethod
    def batch(self, step: int, streams: Streams) -> Batch:
        """The records of this step (0-based)."""

    @abstractmethod
    def events(self, schedule: Schedule, steps: int, beside: float = 0.0) -> tuple[GaussianEvent, ...]:
        """The ledger events of the first ``steps`` steps under this noise schedule.

        ``beside`` is 1 / multiplier^2 of what each step releases beside the gradient. It is not in the events; it may
        decide which record is worst placed.
        """
