"""Batches that do not look sampled: in file order, or no record twice over many steps. Remarks on the whole run so far.

Accounting by Poisson sampling takes each record into each batch independently. Shuffled or fixed batches have no such
amplification (Chua et al. 2024, arXiv 2403.17673).
"""

from __future__ import annotations

import math

import numpy as np

from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView

STAGE = "batch"
SURE = math.log(1e-9)
"""Logarithm of the chance, under Poisson sampling, below which this is said."""


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """At the first step from which on it can be told."""
    index = view.step.batch_index
    batches = [step.batch_index for step in view.earlier]
    if index is None or any(batch is None for batch in batches):
        return None
    known = [batch for batch in batches if batch is not None]
    if _in_order(index) and not any(map(_in_order, known)):
        text = (
            f"records {index[0]} to {index[-1]} in a row: batches in the order of the data are not sampled, and the "
            f"amplification of Poisson sampling is not there"
        )
        return Cause("batch-in-order", text, False)
    before, now = _chance(known), _chance([*known, index])
    if now < SURE <= before:
        records = _largest([*known, index])
        text = (
            f"{len(known) + 1} batches have no record in common, which Poisson sampling from {records} "
            f"records or fewer would do with probability e^{now:.0f}: shuffled, and not sampled"
        )
        return Cause("batches-without-repeats", text, False)
    return None


def _in_order(index: np.ndarray) -> bool:
    return len(index) >= 8 and bool((np.diff(index) == 1).all())


def _largest(batches: list[np.ndarray]) -> int:
    return max((int(batch.max(initial=0)) + 1 for batch in batches), default=1)


def _chance(batches: list[np.ndarray]) -> float:
    """Logarithm of the chance that independent batches of these sizes, from records up to the largest seen, share none.

    Given the batches' sizes each is a uniform subset, by symmetry: of N records, beside U used ones, b are new with
    chance at most (1 - U / N)^b. The true N may be larger than the largest record seen: that is what "or fewer" says.
    """
    used: set[int] = set()
    size, logarithm = _largest(batches), 0.0
    for batch in batches:
        own = set(batch.tolist())
        if used & own:
            return 0.0
        logarithm += len(own) * math.log1p(-min(len(used) / size, 1 - 1e-9))
        used |= own
    return logarithm
