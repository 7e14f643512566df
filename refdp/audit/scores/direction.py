"""Which way scores point: members should score higher. Said, never turned round."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import rankdata

from refdp.audit.scores.base import Scores

_FAR = 4.0  # standard errors; one set of sound scores in 30,000 is that far


def pairs_right(scores: Scores) -> tuple[float, float] | None:
    """Share of pairs (planted, not planted) in which the planted one scores higher, ties for half; and how many
    standard errors that is from one half, were both drawn alike. None where a class is missing.

    Mann and Whitney 1947 (Annals of Mathematical Statistics 18.1), the variance with its correction for ties.
    """
    inside, outside = len(scores.planted), len(scores.outside)
    if inside == 0 or outside == 0:
        return None
    both = np.concatenate([scores.planted, scores.outside])
    ranks = rankdata(both)
    wins = float(ranks[:inside].sum()) - inside * (inside + 1) / 2
    share = wins / (inside * outside)
    total = inside + outside
    _, ties = np.unique(both, return_counts=True)
    tied = float(np.sum(ties.astype(np.float64) ** 3 - ties)) / (total * max(total - 1, 1))
    variance = inside * outside / 12 * (total + 1 - tied)
    if variance <= 0:
        return share, 0.0
    return share, (wins - inside * outside / 2) / math.sqrt(variance)


def against(scores: Scores) -> str | None:
    """A line where members score significantly lower than the others; None else."""
    found = pairs_right(scores)
    if found is None or found[1] > -_FAR:
        return None
    return (
        f"members score lower than non-members (higher in {100 * found[0]:.3g} % of pairs only): give "
        "--lower-is-member for losses, and leave it out for other scores; none are turned round by themselves, which "
        "would be a choice after the fact"
    )
