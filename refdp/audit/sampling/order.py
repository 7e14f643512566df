"""Order: does a batch repeat the one P steps before, for some period P?

The bets of ``repeats`` with U the single batch P steps before, for every P up to ``LONGEST``: a run that has seen one
epoch of a fixed order is told from the next batch on.

The work is bounded by looking at every k-th record only where there are many: a batch's part in a fixed set of records
is, given its size, a uniform subset of that set.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.sparse import csr_matrix

from refdp.audit.sampling.batches import Batches
from refdp.audit.sampling.evidence import Evidence, binomial_log_mgf, log_mean

TILTS = (0.5, 2.0, 5.0)
LONGEST, WORK, ROWS = 4096, 3 * 10**7, 2048


def order(batches: Batches) -> Evidence:
    """Evidence against independence from the batch a period before.

    G1. Each bet's mean is at most 1 where batches are, given their sizes, independent uniform subsets.
    """
    drawn = _thinned(batches)
    if drawn is None:
        return Evidence("order")
    sizes, overlap = np.asarray(drawn.sum(axis=1)).ravel(), _overlaps(drawn)
    bets = {}
    for tilt in TILTS:
        per_draw = binomial_log_mgf(tilt, np.ones(1), sizes / drawn.shape[1])
        mgf = np.array([sizes[p:] @ per_draw[: len(sizes) - p] for p in range(1, len(overlap) + 1)])
        gains = tilt * overlap - mgf
        bets[f"as {int(gains.argmax()) + 1} steps before (tilt {tilt:g})"] = log_mean(gains)
    return Evidence("order", bets)


def closest(batches: Batches) -> tuple[int, float]:
    """The period after which batches have most in common with those before, and the share of records they have."""
    drawn = _thinned(batches)
    if drawn is None:
        return 0, 0.0
    sizes, overlap = np.asarray(drawn.sum(axis=1)).ravel(), _overlaps(drawn)
    later = np.cumsum(sizes[::-1])[::-1][1 : len(overlap) + 1]
    share = overlap / np.maximum(later, 1)
    return int(share.argmax()) + 1, float(share.max())


def _thinned(batches: Batches) -> csr_matrix | None:
    """Steps by every k-th record; None where there is nothing to compare."""
    periods = min(batches.steps - 1, LONGEST)
    if periods < 1 or len(batches.indices) == 0:
        return None
    work = float((batches.counts.astype(float) ** 2).sum()) * min(1.0, 2 * periods / batches.steps)
    every = min(batches.dataset_size, math.ceil(work / WORK))
    kept = batches.indices % every == 0
    records = -(-batches.dataset_size // every)
    return csr_matrix(
        (np.ones(int(kept.sum()), np.float32), (batches.step[kept], batches.indices[kept] // every)),
        (batches.steps, records),
    )


def _overlaps(drawn: csr_matrix) -> np.ndarray:
    """Records that batches have in common with those p steps before, summed over steps, for p = 1, 2, ..."""
    periods = min(drawn.shape[0] - 1, LONGEST)
    total = np.zeros(periods)
    for low in range(0, drawn.shape[0], ROWS):
        high, first = min(low + ROWS, drawn.shape[0]), max(0, low - periods)
        common = (drawn[low:high] @ drawn[first:high].T).tocoo()
        back = (common.row + low) - (common.col + first)
        within = (back >= 1) & (back <= periods)
        total += np.bincount(back[within] - 1, common.data[within], minlength=periods)
    return total
