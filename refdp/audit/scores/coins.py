"""Does a split into planted and left out agree with fair coins? That each canary had one cannot be seen from scores."""

from __future__ import annotations

from scipy.stats import binom

from refdp.audit.scores.base import Scores
from refdp.errors import RefDPError

IMPOSSIBLE = 1e-6


def check_coins(scores: Scores) -> None:
    """Refuse what fair coins give with a chance below one in a million, both sides together.

    Raises:
        RefDPError: the split contradicts ``fair_coins``.
    """
    if not scores.fair_coins or scores.canaries == 0:
        return
    fewer = min(len(scores.planted), len(scores.left_out))
    chance = min(1.0, 2 * float(binom.cdf(fewer, scores.canaries, 0.5)))
    if chance < IMPOSSIBLE:
        raise RefDPError(
            f"fair coins: {len(scores.planted)} planted and {len(scores.left_out)} left out is a split that fair coins "
            f"give with probability {chance:.1e}; leave --fair-coins (fair_coins) out, or put canaries that were never "
            "to be planted among the references"
        )
