"""Repeats: how many of a batch's records are among the last L batches.

Given its size and all that went before, a batch is under Poisson sampling a uniform subset of that size; so the number
of its records in U, the union of the last L batches, is hypergeometric, and

    exp(tilt * hits) / (1 + (|U| / N) (exp(tilt) - 1))^b

has a mean of at most 1 (``evidence.binomial_log_mgf``). Tilts below 0 bet on fewer returns (shuffling, balls and bins,
minimum separation), those above 0 on more (reuse). The same holds for batches drawn without replacement.
"""

from __future__ import annotations

import numpy as np

from refdp.audit.sampling.batches import Batches
from refdp.audit.sampling.evidence import Evidence, binomial_log_mgf, tilted

TILTS = (0.02, 0.07, 0.2, 0.6, 2.0, 6.0)
LONGEST = 2**13


def windows(steps: int) -> list[int]:
    """L: 1, 2, 4, ... below the number of steps."""
    return [2**k for k in range(LONGEST.bit_length()) if 2**k < max(2, min(steps, LONGEST + 1))]


def in_window(batches: Batches, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each step: hits [T], and the size of the union of the ``window`` batches before it [T]."""
    hits = batches.per_step(batches.gap <= window)
    came = batches.sizes - hits  # new to the union
    left = batches.sizes - batches.per_step(batches.next_gap <= window)
    grown = np.cumsum(came) - came
    union = grown.copy()
    union[window:] -= (np.cumsum(left) - left)[: len(union) - window]
    # at step t those last drawn at t - window - 1 or before are gone
    return hits, union


def repeats(batches: Batches) -> Evidence:
    """Evidence against independence from the batches before.

    G1. Each bet's mean is at most 1 where batches are, given their sizes, independent uniform subsets.
    """
    bets = {}
    for window in windows(batches.steps):
        hits, union = in_window(batches, window)
        share = union / batches.dataset_size
        for tilt in TILTS:
            for sign, side in ((-1, "fewer"), (1, "more")):
                mgf = binomial_log_mgf(sign * tilt, batches.sizes, share).sum()
                bets[f"{side} returns within {window} steps (tilt {tilt:g})"] = tilted(
                    sign * tilt, hits.sum(), mgf
                )
    return Evidence("repeats", bets)
