"""Are recorded batches what they are claimed to be?

refuted      the claim would produce such evidence with probability at most the level, or cannot produce the batches
consistent   not refuted; never more than that: ``power`` says what could have been seen

G1. A true claim is refuted with probability at most ``level``, at any number of steps.
G2. No N or rate is guessed: a data set's size is given, a rate that is not given is fitted in the claim's favour.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from refdp.audit.sampling.batches import Batches
from refdp.audit.sampling.evidence import Evidence, log_mean
from refdp.audit.sampling.names import Found, name_of
from refdp.audit.sampling.order import order
from refdp.audit.sampling.places import places
from refdp.audit.sampling.power import Power, power
from refdp.audit.sampling.repeats import repeats
from refdp.audit.sampling.sizes import sizes
from refdp.audit.sampling.structure import may_be_a_cycle, may_be_shuffled, period
from refdp.audit.sampling.weights import weights
from refdp.validate import in_range, one_of, strictly_between

CONSISTENT, REFUTED = "consistent", "refuted"
CLAIMS = ("poisson", "without-replacement", "shuffle", "fixed-order")
SUBSETS: tuple[Callable[[Batches], Evidence], ...] = (repeats, order, places, weights)
"""Each of mean at most 1 where batches are, given their sizes, independent uniform subsets."""


@dataclass(frozen=True)
class SamplerTest:
    """The answer.

    Attributes:
        verdict: ``CONSISTENT`` or ``REFUTED``.
        sampler: what the batches look like: a name of ``names.NAMES``; where nothing is refuted, what was claimed.
        log_e: logarithm of the e-value against the claim; inf where the claim cannot produce these batches.
        why: reasons, a line each.
        evidence: of each statistic.
        power: how soon other samplers would have been told; empty where the claim is refuted or is not "poisson".
    """

    batches: Batches
    claimed: str
    sample_rate: float | None
    level: float
    verdict: str
    sampler: str
    log_e: float
    why: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    power: tuple[Power, ...]

    @property
    def p_value(self) -> float:
        """1 / e, at most 1: a p-value by Markov."""
        return math.exp(-max(self.log_e, 0.0))


def examine(
    batches: Batches, claimed: str = "poisson", sample_rate: float | None = None, level: float = 0.01
) -> SamplerTest:
    """Test a claim about how batches were drawn.

    Args:
        sample_rate: of claim "poisson"; where None, any.
        level: chance of refuting a true claim.

    Raises:
        RefDPError: an argument is out of range.
    """
    one_of(CLAIMS, claimed=claimed)
    strictly_between(0, 1, level=level)
    if sample_rate is not None:
        in_range(0, 1, sample_rate=sample_rate)
    impossible = _impossible(batches, claimed)
    evidence = () if batches.repeated else against(batches, claimed, sample_rate)
    log_e = math.inf if impossible else log_mean([each.log_e for each in evidence])
    refuted = log_e >= math.log(1 / level)
    found = Found(claimed, ())
    reach: list[Power] = []
    if refuted:
        full = (
            evidence
            if claimed == "poisson"
            else (() if batches.repeated else against(batches, "poisson", None))
        )
        found = name_of(batches, {each.name: each for each in full}, level)
        if found.name == claimed:
            found = Found("other", (*found.why, *(e.best for e in evidence if e.log_e > 0)))
    elif claimed == "poisson":
        reach = power(batches, lambda b: log_mean([e.log_e for e in against(b, claimed, sample_rate)]), level)
    verdict = REFUTED if refuted else CONSISTENT
    why = (*([impossible] if impossible else []), *found.why)
    return SamplerTest(
        batches, claimed, sample_rate, level, verdict, found.name, log_e, why, evidence, tuple(reach)
    )


def against(batches: Batches, claimed: str, sample_rate: float | None) -> tuple[Evidence, ...]:
    """All evidence against a claim; the mean of the e-values is one."""
    if claimed == "poisson":
        return (sizes(batches, sample_rate), *(test(batches) for test in SUBSETS))
    if claimed == "without-replacement":
        return tuple(test(batches) for test in SUBSETS)
    if claimed == "shuffle":
        return tuple(test(one_an_epoch(batches)) for test in SUBSETS)
    return (Evidence("structure"),)


def one_an_epoch(batches: Batches) -> Batches:
    """Batches so far apart that no two are of one epoch, wherever epochs begin: under shuffling, with batches of one
    size but for the last, these are independent uniform subsets."""
    longest = -(-batches.dataset_size // max(1, int(batches.sizes.max())))
    return batches.take(np.arange(0, batches.steps, longest))


def _impossible(batches: Batches, claimed: str) -> str | None:
    """Why this claim cannot produce these batches, however lucky; None where it can."""
    size = batches.sizes
    if batches.repeated:
        at = int(batches.step[batches.gap == 0][0])
        runs_on = " where every epoch ends with a batch" if claimed == "shuffle" else ""
        return f"step {at} drew a record twice, which {claimed} never does{runs_on}"
    if claimed == "without-replacement" and (size != size[0]).any():
        odd = int(np.flatnonzero(size != size[0])[0])
        return (
            f"step {odd} drew {size[odd]} records and step 0 {size[0]}; without replacement all draw as many"
        )
    again = batches.gap[batches.gap <= batches.steps]
    if claimed == "shuffle" and len(again) and not may_be_shuffled(batches):
        return (
            "no epochs of batches of one size, each ending with a batch, in which each record is drawn once"
        )
    if claimed != "fixed-order" or not len(again) or may_be_a_cycle(batches):
        return None
    if period(batches, batches.steps - 1) is None:
        return "no period after which every batch comes again, and no list of records read again and again"
    return None
