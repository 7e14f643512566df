"""Fixed order: the same consecutive batches every epoch (``shuffle=False``), as s1's program has them.

No randomness, hence no amplification: every record takes part once an epoch in an unsampled Gaussian step.
Under zero-out the batch sizes are public, so the last, shorter batch is divided by its own size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from refdp.accounting import ZERO_OUT, GaussianEvent, Sampling, Schedule
from refdp.accounting.epochwise import worst_position
from refdp.rng import Streams
from refdp.samplers import samplers
from refdp.samplers.base import Batch, Sampler
from refdp.samplers.epochs import multipliers_by_epoch, steps_per_epoch


@samplers.register("fixed-order")
@dataclass
class FixedOrder(Sampler):
    """Batch k of every epoch holds records k * batch_size up to (k + 1) * batch_size."""

    name: ClassVar[str] = "fixed-order"
    default_neighboring: ClassVar[str] = ZERO_OUT
    statement: ClassVar[str] = "the same batches in the same order every epoch; NO privacy amplification"

    def steps(self, epochs: int) -> int:
        """epochs * ceil(dataset_size / batch_size)."""
        return epochs * steps_per_epoch(self)

    def batch(self, step: int, streams: Streams) -> Batch:
        """Consecutive records; ``streams`` is not used."""
        start = step % steps_per_epoch(self) * self.batch_size
        indices = np.arange(start, min(start + self.batch_size, self.dataset_size))
        return Batch(indices, float(len(indices)))

    def events(self, schedule: Schedule, steps: int, beside: float = 0.0) -> tuple[GaussianEvent, ...]:
        """The Gaussian steps of the worst-placed record: the position whose squared ratios sum highest."""
        by_epoch = multipliers_by_epoch(self, schedule, steps)
        if schedule.kind == "constant":
            return (GaussianEvent(schedule.scale, Sampling("fixed-order", epochs=len(by_epoch))),)
        once = Sampling("fixed-order", epochs=1)
        return tuple(GaussianEvent(float(x), once) for x in worst_position(by_epoch, beside))
