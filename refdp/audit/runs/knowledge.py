"""What the adversary knows of batches, for each way of drawing them: as much as the accounting grants, and no more.

poisson              The other records' draws are independent of the canary's. The pair that the accounting compares has
                     them fixed, so an adversary may know them: the sum over the others is subtracted. Its own draw is
                     known to nobody: probability q.
fixed-order          Batches are public: a canary surely takes part in its own steps, in no others.
shuffle              refdp claims no amplification: its epsilon holds given the order, by joint convexity over
                     permutations. So an adversary who knows the order is covered, and everything is as in a fixed
                     order. A smaller claim, of one who relies on a secret order, is NOT tested so, and is refused.
without-replacement  A batch has a fixed size, so the others' draws give the canary's away, and the accounting does not
                     cover that. The adversary knows no batch: nothing is subtracted, and q = batch / slots.

Where every batch is everything, all of them are the same: q = 1 and the others' sum is known.
"""

from __future__ import annotations

import numpy as np

from refdp.samplers import Sampler

KNOWS = {
    "poisson": "every other record, and which of them each batch drew",
    "fixed-order": "every other record, and every batch",
    "shuffle": "every other record, and the order of each epoch",
    "without-replacement": "every other record, but no batch",
}


def everyone_always(sampler: Sampler) -> bool:
    """Whether every slot is in every batch."""
    return sampler.batch_size == sampler.dataset_size


def others_are_known(sampler: Sampler) -> bool:
    """Whether the sum over the others' drawn records may be subtracted."""
    return sampler.name != "without-replacement" or everyone_always(sampler)


def participation(sampler: Sampler, drawn: np.ndarray, first: int, scored: int) -> float | np.ndarray:
    """Probability, to the adversary, that each canary took part if it was planted: a number, or [scored].

    Args:
        drawn: the step's slots; those of canaries are ``first`` and up.
        scored: canaries and references; a reference has the place of canary (its number modulo the canaries').
    """
    if everyone_always(sampler):
        return 1.0
    if sampler.name in ("poisson", "without-replacement"):
        return sampler.batch_size / sampler.dataset_size
    slots = np.zeros(sampler.dataset_size - first)
    slots[drawn[drawn >= first] - first] = 1.0
    return np.resize(slots, scored)


def divisor(sampler: Sampler, drawn: np.ndarray) -> float:
    """What the sampler divides a step's sum by: the batch's size where that is public, else the expected one."""
    return float(len(drawn)) if sampler.name in ("shuffle", "fixed-order") else float(sampler.batch_size)
