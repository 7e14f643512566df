"""Places: are a batch's records neighbours in the data set, or every d-th?

Of the records of a uniform subset of size b of N in a row, the number whose left neighbour is in it, too, is
hypergeometric: C(b - 1, a) C(N - b + 1, b - a) of the C(N, b) subsets have a such records, in b - a runs. So

    exp(tilt * a) / (1 + ((b - 1) / N) (exp(tilt) - 1))^b

has a mean of at most 1 (``evidence.binomial_log_mgf``). Any fixed order of the records will do: here by remainder
modulo d, then by index, so that neighbours are d apart.
"""

from __future__ import annotations

import numpy as np

from refdp.audit.sampling.batches import Batches
from refdp.audit.sampling.evidence import Evidence, binomial_log_mgf, tilted

STRIDES = (1, 2, 3, 4, 8, 16, 32, 64)
TILTS = (-3.0, -0.5, -0.1, 0.1, 0.5, 2.0, 5.0)


def neighbours(batches: Batches, stride: int) -> np.ndarray:
    """Records of each batch [T] whose left neighbour is in the batch."""
    remainder, records = np.arange(stride), batches.dataset_size
    length = (records - 1 - remainder) // stride + 1
    start = np.cumsum(length) - length
    place = start[batches.indices % stride] + batches.indices // stride
    key = np.sort(batches.step * records + place)
    beside = np.diff(key, prepend=-2) == 1
    step = key // records
    beside[1:] &= step[1:] == step[:-1]
    return np.bincount(step[beside], minlength=batches.steps)


def places(batches: Batches) -> Evidence:
    """Evidence against records being drawn wherever they stand.

    G1. Each bet's mean is at most 1 where batches are, given their sizes, independent uniform subsets.
    """
    bets = {}
    marked = np.maximum(batches.sizes - 1, 0)
    for stride in STRIDES:
        if stride >= batches.dataset_size:
            continue
        beside = neighbours(batches, stride).sum()
        for tilt in TILTS:
            mgf = binomial_log_mgf(tilt, batches.sizes, marked / batches.dataset_size).sum()
            name = f"{'fewer' if tilt < 0 else 'more'} records {stride} apart (tilt {abs(tilt):g})"
            bets[name] = tilted(tilt, beside, mgf)
    return Evidence("places", bets)
