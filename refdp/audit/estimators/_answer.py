"""What estimators refuse, and the words for it."""

from __future__ import annotations

from collections.abc import Callable

from refdp.audit.estimators.base import Estimate
from refdp.audit.scores import Scores

APART = "canaries of one run score independently of each other"
GAUSSIAN = (
    "the run's trade-off curve is mu-GDP (exact at full participation, approximate where batches are sampled)"
)
COINS = (
    "canaries were not planted by fair coins of their own, so guesses cannot be counted; plant each by a fair coin "
    "and say so"
)
MOST = 10**6


def assumptions(scores: Scores, *own: str) -> tuple[str, ...]:
    """The estimator's own, and independence where several canaries share a run."""
    return own if scores.independent else (*own, APART)


def refuse(name: str, reason: str) -> Estimate:
    """No bound, and why."""
    return Estimate(name, None, None, reason)


def empty_class(scores: Scores) -> str | None:
    """Why no rates can be compared, if a class is missing."""
    if not len(scores.planted):
        return "no canary was planted: there are no scores of members; plant some"
    if not len(scores.outside):
        return "no canary was left out and there are no references: nothing to compare with; leave some out"
    return None


def too_few(ceiling_at: Callable[[int], float], confidence: float, most: int = MOST) -> str:
    """The text for too few canaries; ``ceiling_at`` gives the ceiling at so many times the canaries there are, up to
    ``most``."""
    low, high = 1, max(1, min(2, most))
    while high < most and not ceiling_at(high) > 0:
        low, high = high, min(2 * high, most)
    if high == 1 or not ceiling_at(high) > 0:
        return f"no number of canaries can show epsilon > 0 at confidence {confidence:g} and this delta; lower them"
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if ceiling_at(middle) > 0 else (middle, high)
    return (
        f"too few canaries to show any epsilon > 0 at confidence {confidence:g}, were every one told right; "
        f"{high} times as many could"
    )
