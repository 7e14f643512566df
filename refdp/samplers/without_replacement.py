"""Sampling without replacement: exactly b of the n records, afresh every step.

Every one of the C(n, b) batches is equally likely, independently of other steps (Balle, Barthe, Gaboardi 2018,
arXiv 1807.01647; Wang, Balle, Kasiviswanathan 2019, arXiv 1808.00087). Records push each other out, so only
replace-one neighbours have a proven pair, at sensitivity 2K: for the same noise it costs more than Poisson.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from refdp.accounting import REPLACE_ONE, GaussianEvent, Sampling, Schedule
from refdp.rng import Streams
from refdp.samplers import samplers
from refdp.samplers.base import Batch, Sampler


@samplers.register("without-replacement")
@dataclass
class WithoutReplacement(Sampler):
    """n = dataset_size, b = batch_size; the divisor is b."""

    name: ClassVar[str] = "without-replacement"
    default_neighboring: ClassVar[str] = REPLACE_ONE
    statement: ClassVar[str] = "exactly batch_size distinct records, drawn afresh every step"

    def steps(self, epochs: int) -> int:
        """ceil(epochs * dataset_size / batch_size)."""
        return -(-epochs * self.dataset_size // self.batch_size)

    def batch(self, step: int, streams: Streams) -> Batch:
        """A fresh, independent draw for this step, in ascending order."""
        chosen = streams.sampling(step).choice(
            self.dataset_size, self.batch_size, replace=False, shuffle=False
        )
        return Batch(np.sort(chosen), float(self.batch_size))

    def events(self, schedule: Schedule, steps: int, beside: float = 0.0) -> tuple[GaussianEvent, ...]:
        """One Gaussian event on batches of a fixed size."""
        sampling = Sampling("without-replacement", dataset_size=self.dataset_size, batch_size=self.batch_size)
        return (GaussianEvent(schedule.noise(), sampling, steps),)
