"""What the epoch-wise samplers share: steps of an epoch, and the noise each position met."""

from __future__ import annotations

import numpy as np

from refdp.accounting import Schedule
from refdp.samplers.base import Sampler


def steps_per_epoch(sampler: Sampler) -> int:
    """ceil(dataset_size / batch_size)."""
    return -(-sampler.dataset_size // sampler.batch_size)


def multipliers_by_epoch(sampler: Sampler, schedule: Schedule, steps: int) -> np.ndarray:
    """Noise multipliers of the first ``steps`` steps as [epochs, positions]; inf where no step was taken."""
    width = steps_per_epoch(sampler)
    table = np.full(-(-steps // width) * width, np.inf)
    table[:steps] = schedule.noise_multipliers()[:steps]
    return table.reshape(-1, width)
