"""Shuffled epochs: a fresh random order each epoch, cut into consecutive batches.

What most training code does, and NOT Poisson sampling: no amplification theorem applies at these parameters
(Chua et al. 2024, arXiv 2403.17673, show the gap). By joint convexity over permutations it is never worse than
an unsampled Gaussian step an epoch, and that is all that is claimed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from refdp.accounting import ZERO_OUT, GaussianEvent, Sampling, Schedule
from refdp.accounting.epochwise import least_of_each_epoch
from refdp.rng import Streams
from refdp.samplers import samplers
from refdp.samplers.base import Batch, Sampler
from refdp.samplers.epochs import multipliers_by_epoch, steps_per_epoch


@samplers.register("shuffle")
@dataclass
class Shuffle(Sampler):
    """Each record exactly once an epoch, in an order drawn for that epoch."""

    name: ClassVar[str] = "shuffle"
    default_neighboring: ClassVar[str] = ZERO_OUT
    statement: ClassVar[str] = "each record once an epoch in a random order; NO privacy amplification claimed"
    _order: dict[tuple[int, int], np.ndarray] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def steps(self, epochs: int) -> int:
        """epochs * ceil(dataset_size / batch_size)."""
        return epochs * steps_per_epoch(self)

    def batch(self, step: int, streams: Streams) -> Batch:
        """A slice of this epoch's permutation."""
        epoch, position = divmod(step, steps_per_epoch(self))
        key = (streams.root, epoch)
        if key not in self._order:
            self._order.clear()
            self._order[key] = streams.sampling(epoch).permutation(self.dataset_size)
        indices = self._order[key][position * self.batch_size : (position + 1) * self.batch_size]
        return Batch(indices, float(len(indices)))

    def events(self, schedule: Schedule, steps: int, beside: float = 0.0) -> tuple[GaussianEvent, ...]:
        """An unsampled Gaussian step an epoch, at the least noise of that epoch."""
        by_epoch = multipliers_by_epoch(self, schedule, steps)
        if schedule.kind == "constant":
            return (GaussianEvent(schedule.scale, Sampling("shuffle", epochs=len(by_epoch))),)
        return tuple(
            GaussianEvent(float(x), Sampling("shuffle", epochs=1)) for x in least_of_each_epoch(by_epoch)
        )
