"""Weights: are records that were drawn often drawn again more often, or less, than others?

Let f(i) be how often record i was drawn before, standardised over the data set. Given its size b and the past, a batch
is a uniform subset, and sampling without replacement is below sampling with replacement in convex order (Hoeffding
1963, theorem 4), so

    exp(tilt * sum over the batch of f(i)) / (mean over all records of exp(tilt * f(i)))^b

has a mean of at most 1. Tilts above 0 bet that some records are favoured (weights, a subset), those below 0 that
records take turns (shuffling).
"""

from __future__ import annotations

import numpy as np
from scipy.special import logsumexp

from refdp.audit.sampling.batches import Batches
from refdp.audit.sampling.evidence import Evidence

TILTS = (-2.0, -1.0, -0.3, -0.1, -0.03, -0.01, 0.01, 0.03, 0.1, 0.3, 1.0)
_CELLS = 2**20  # of a table of steps by counts


def weights(batches: Batches) -> Evidence:
    """Evidence against all records being drawn equally often.

    G1. Each bet's mean is at most 1 where batches are, given their sizes, independent uniform subsets.
    """
    most = int(batches.counts.max(initial=0)) + 1
    rows = max(1, _CELLS // most)
    having = np.zeros(most)
    having[0] = batches.dataset_size  # records by how often they were drawn
    total = np.zeros(len(TILTS))
    for low in range(0, batches.steps, rows):
        having, gained = _block(batches, low, min(low + rows, batches.steps), having)
        total += gained
    names = [
        f"{'records take turns' if tilt < 0 else 'records are favoured'} (tilt {abs(tilt):g})"
        for tilt in TILTS
    ]
    return Evidence("weights", dict(zip(names, total.tolist(), strict=True)))


def _block(batches: Batches, low: int, high: int, having: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Records by their counts after these steps [K], and log gains of each tilt."""
    first, last = batches.offsets[low], batches.offsets[high]
    step, before = batches.step[first:last] - low, batches.before[first:last]
    moved = np.zeros((high - low, len(having)))
    np.add.at(moved, (step, before), -1)
    np.add.at(moved, (step, before + 1), 1)
    table = np.vstack([having, having + np.cumsum(moved, axis=0)])
    table, after = table[:-1], table[-1]
    count = np.arange(len(having))
    mean = table @ count / batches.dataset_size
    variance = table @ count.astype(float) ** 2 / batches.dataset_size - mean**2
    scale = np.where(variance > 1e-9, 1 / np.sqrt(np.maximum(variance, 1e-9)), 0.0)
    drawn = (np.bincount(step, before, minlength=high - low) - batches.sizes[low:high] * mean) * scale
    value = (count - mean[:, None]) * scale[:, None]
    gained = []
    for tilt in TILTS:
        mgf = logsumexp(tilt * value, axis=1, b=table) - np.log(batches.dataset_size)
        gained.append(float((tilt * drawn - batches.sizes[low:high] * mgf).sum()))
    return after, np.array(gained)
