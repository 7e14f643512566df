"""Accounted as Poisson sampling, but batches were shuffled, in fixed order, or of fixed size.

Poisson amplification (arXiv 1908.10530) needs each record to join each step independently. Epochs over a loader do not
do that; Chua et al. 2024 (arXiv 2403.17673) show how far the two are apart.
"""

from __future__ import annotations

from collections.abc import Iterator

from refdp.audit.causes.base import Case, Cause, interval

ORDER = 20
_ID = {
    "shuffle": "shuffled-batches",
    "fixed-order": "fixed-order-batches",
    "without-replacement": "fixed-size-batches",
    "full-batch": "no-sampling",
}
_WHAT = {
    "shuffle": "batches were shuffled each epoch, which earns none of Poisson's amplification",
    "fixed-order": "batches came in the same order every epoch, so that nothing is sampled at all",
    "without-replacement": "batches of a fixed size were drawn, in which records push each other out",
    "full-batch": "every record took part in every step",
}


def find(case: Case) -> Iterator[Cause]:
    """Where the schemes of both readings differ."""
    run = case.run
    if run is None:
        return
    accounted = {e.sampling.scheme for e in case.accounted.ledger.events if not e.is_no_op()}
    actual = {e.sampling.scheme for e in run.ledger.events if not e.is_no_op()}
    for scheme in sorted(actual - accounted):
        what = _WHAT.get(scheme, f"batches were drawn by {scheme}")
        yield Cause(
            _ID.get(scheme, "other-sampler"),
            f"accounted as {', '.join(sorted(accounted))}, but {what}: epsilon is {interval(run)}, not "
            f"{interval(case.accounted)}.",
        )
    if accounted == actual == {"poisson"}:
        rates = [
            sorted({e.sampling.rate or 0.0 for e in reading.ledger.events if not e.is_no_op()})
            for reading in (case.accounted, run)
        ]
        if rates[0] != rates[1]:
            yield Cause(
                "sample-rate",
                f"accounted at rate {rates[0][0]:.6g}, run at {rates[1][0]:.6g}: epsilon is {interval(run)}.",
            )
