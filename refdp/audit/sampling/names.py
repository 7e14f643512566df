"""What batches are that are not what was claimed: a name, and why it is that one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from refdp.audit.sampling.batches import Batches
from refdp.audit.sampling.evidence import Evidence
from refdp.audit.sampling.order import closest
from refdp.audit.sampling.places import neighbours
from refdp.audit.sampling.repeats import in_window, windows
from refdp.audit.sampling.structure import Epochs, epochs, period

NAMES = {
    "poisson": "every record joins every step by a coin of its own",
    "shuffle": "each record once an epoch, in a new order each, in batches of one size; an epoch ends with a batch",
    "fixed-order": "the same records in the same order again and again",
    "fixed-batches": "the same batches every epoch, in a new order",
    "without-replacement": "batches of one size, each drawn afresh",
    "negatively-dependent": "a record that was drawn comes back later, or less often, than by coins of its own",
    "with-replacement": "a record stands in one batch twice",
    "uneven": "some records are drawn more often than others",
    "other-rate": "batch sizes belong to another rate",
    "other-sizes": "batches are uniform subsets, but their sizes are not those of independent coins",
    "other": "not independent uniform subsets",
}


@dataclass(frozen=True)
class Found:
    """A name of ``NAMES`` and the reasons for it, a line each."""

    name: str
    why: tuple[str, ...]


def name_of(batches: Batches, evidence: dict[str, Evidence], level: float) -> Found:
    """What these batches look like, given that independent coins at the rate claimed were refuted.

    ``evidence``: of all statistics, by name; its e-values decide between names where no exact structure does.
    """
    if not len(batches.indices):
        return Found("other-rate", ("every batch is empty",))
    if batches.repeated:
        return Found(
            "with-replacement", (f"{batches.repeated} draws of a record that its batch had already",)
        )
    bar = math.log(1 / level)
    exact = _exact(batches)
    if exact is not None and exact.name == "fixed-order":
        return exact
    if evidence["order"].log_e >= bar:
        after, share = closest(batches)
        if share >= 0.5:
            why = f"batches have {share:.0%} of their records in common with those {after} steps before"
            return Found("fixed-order", (why,))
    if exact is not None:
        return exact
    subsets = {name: each for name, each in evidence.items() if name != "sizes"}
    fewer = max(subsets["repeats"].part("fewer"), subsets["weights"].part("records take turns"))
    more = max(subsets["repeats"].part("more"), subsets["weights"].part("records are favoured"))
    strongest = max(subsets.values(), key=lambda each: each.log_e)
    sizes = batches.sizes
    equal = bool((sizes == sizes[0]).all())
    if strongest.log_e < bar:
        if evidence["sizes"].log_e < bar:
            return Found("poisson", ("not told apart from independent coins",))
        if equal:
            return Found(
                "without-replacement", (f"every batch holds {sizes[0]} records", *_unsure(batches, equal))
            )
        return _by_sizes(batches, evidence["sizes"])
    soonest = int(batches.soonest.min())
    if fewer >= bar and (soonest > 1 or fewer >= max(more, subsets["order"].log_e)):
        return Found("negatively-dependent", (*_returns(batches), *_unsure(batches, equal)))
    never = int((batches.counts == 0).sum())
    if subsets["weights"].part("records are favoured") >= max(
        bar, subsets["order"].log_e, subsets["places"].log_e
    ):
        rate = len(batches.indices) / (batches.steps * batches.dataset_size)
        expected = batches.dataset_size * math.exp(batches.steps * math.log1p(-min(rate, 1 - 1e-12)))
        why = f"{never} of {batches.dataset_size} records were never drawn, where {expected:.3g} are expected"
        return Found(
            "uneven", (why, "a subset is drawn from, records have weights, or --dataset-size is too large")
        )
    return Found("other", tuple(each.best for each in subsets.values() if each.log_e >= bar))


def _exact(batches: Batches) -> Found | None:
    """A name for a structure that the batches keep to without exception."""
    cut = epochs(batches)
    again = cut.length if cut is not None and cut.same_batches else period(batches, batches.steps // 2)
    if again is not None:
        return Found("fixed-order", (f"every batch is the one {again} steps before",))
    if cut is None:
        return None
    contiguous = bool((neighbours(batches, 1) >= batches.sizes - 1).all()) and int(batches.sizes.max()) > 1
    if contiguous and cut.whole < 2:
        return Found(
            "fixed-order", ("every batch holds consecutive records, and none is drawn twice in an epoch",)
        )
    if cut.same_groups:
        met = "the same batches every epoch, in another order: records that met once meet always"
        return Found("fixed-batches", (_once(cut), met))
    if not cut.equal:
        bins = f"{_once(cut)}, in batches of {batches.sizes.min()} to {batches.sizes.max()} records: balls and bins"
        return Found("negatively-dependent", (bins,))
    why = [_once(cut)]
    if cut.whole < 2:
        why.append("one whole epoch was recorded; whether the next has the same order cannot be seen")
    if contiguous:
        why.append("every batch holds consecutive records")
    return Found("shuffle", tuple(why))


def _once(cut: Epochs) -> str:
    where = f", from step {cut.start} on" if cut.start else ""
    if cut.partition:
        return f"each record exactly once every {cut.length} steps{where}"
    return f"no record twice in {cut.length} steps{where}, at most {cut.left_out} left out (a dropped last batch)"


def _unsure(batches: Batches, equal: bool) -> tuple[str, ...]:
    """What a run shorter than an epoch leaves open."""
    if (
        equal
        and batches.steps * batches.sizes[0] < 2 * batches.dataset_size
        and batches.counts.max(initial=0) <= 1
    ):
        return ("less than two epochs were recorded and no record came back: it may be shuffled",)
    return ()


def _returns(batches: Batches) -> tuple[str, ...]:
    """How many steps, and how much rarer than by independent coins."""
    gaps = batches.gap[batches.gap <= batches.steps]
    lines = []
    if len(gaps) == 0:
        lines.append(f"no record was drawn twice in {batches.steps} steps")
    elif gaps.min() > 1:
        lines.append(f"no record came back in fewer than {gaps.min()} steps")
    best = None
    for window in windows(batches.steps):
        hits, union = in_window(batches, window)
        expected = float((batches.sizes * union).sum()) / batches.dataset_size
        if expected > 0:
            score = (expected - hits.sum()) / math.sqrt(expected)
            if best is None or score > best[0]:
                best = (score, window, int(hits.sum()), expected)
    if best is not None:
        _, window, seen, expected = best
        lines.append(
            f"within {window} steps {seen} records came back where {expected:.4g} would by independent coins "
            f"({seen / expected:.2g} times as many)"
        )
    return tuple(lines)


def _by_sizes(batches: Batches, evidence: Evidence) -> Found:
    sizes, records = batches.sizes, batches.dataset_size
    rate = float(sizes.mean()) / records
    best = evidence.best
    figures = f"mean {sizes.mean():.6g}, variance {sizes.var():.4g} where {records * rate * (1 - rate):.4g} is expected"
    if evidence.bets[best] - evidence.bets["rate"] < math.log(100):  # the simplest that explains them
        return Found("other-rate", (f"sizes belong to a rate of {rate:.6g}", figures))
    capped = int((sizes == sizes.max()).sum())
    if best == "cap" or (best == "same size" and np.bincount(sizes).argmax() == sizes.max()):
        return Found(
            "other-sizes", (f"{capped} batches hold the most, {sizes.max()}: cut off there", figures)
        )
    if best.startswith("no empty batch"):
        return Found("other-sizes", ("no batch is empty: empty ones were skipped or drawn again", figures))
    spread = "less" if sizes.var() < records * rate * (1 - rate) else "more"
    return Found("other-sizes", (f"sizes spread {spread} than independent coins make them", figures))
