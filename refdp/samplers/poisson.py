"""Poisson sampling: every record takes part in every step independently with probability q.

The sampling that amplification theorems are about (Abadi et al. 2016, arXiv 1607.00133; Mironov, Talwar, Zhang
2019, arXiv 1908.10530). Batches vary in size and may be empty; an empty batch is a step of pure noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from refdp.accounting import ADD_REMOVE, GaussianEvent, Sampling, Schedule
from refdp.rng import Streams
from refdp.samplers import samplers
from refdp.samplers.base import Batch, Sampler

_ULP = 2.0**-53


@samplers.register("poisson")
@dataclass
class Poisson(Sampler):
    """q = batch_size / dataset_size; the divisor is the expected batch size, never the realised one.

    G3. Each record is drawn with probability floor(q 2^53) / 2^53 <= q.
    """

    name: ClassVar[str] = "poisson"
    default_neighboring: ClassVar[str] = ADD_REMOVE
    statement: ClassVar[str] = "every record joins every step independently with probability sample_rate"

    @property
    def sample_rate(self) -> float:
        """q, public."""
        return self.batch_size / self.dataset_size

    def steps(self, epochs: int) -> int:
        """ceil(epochs * dataset_size / batch_size)."""
        return -(-epochs * self.dataset_size // self.batch_size)

    def batch(self, step: int, streams: Streams) -> Batch:
        """A fresh, independent draw for this step."""
        uniform = streams.sampling(step).random(self.dataset_size)  # multiples of 2^-53 in [0, 1)
        return Batch(np.flatnonzero(uniform + _ULP <= self.sample_rate), float(self.batch_size))

    def events(self, schedule: Schedule, steps: int, beside: float = 0.0) -> tuple[GaussianEvent, ...]:
        """One Poisson-sampled Gaussian event."""
        return (GaussianEvent(schedule.noise(), Sampling("poisson", rate=self.sample_rate), steps),)
