"""One step was not counted."""

from __future__ import annotations

from dataclasses import replace

from refdp.accounting import GaussianEvent, Ledger, Schedule
from refdp.crosscheck.finding import Finding, Reason
from refdp.crosscheck.truth import Truth

ORDER = 11


def find(finding: Finding) -> Reason | None:
    """That one step less gives the figure, where the two are told apart."""
    truth = finding.assumed
    events = truth.ledger.events
    if finding.verdict.word != "unsafe" or len(events) != 1 or not isinstance(events[0], GaussianEvent):
        return None
    event = events[0]
    if isinstance(event.noise, Schedule) or event.count < 2 or event.sampling.passes is not None:
        return None
    fewer = Truth(
        Ledger(truth.ledger.neighboring, (replace(event, count=event.count - 1),), truth.ledger.group_size),
        truth.delta,
    )
    if truth.lower is None or fewer.lower is None or not fewer.upper < truth.lower:
        return None
    if not fewer.lower * (1 - 1e-6) <= finding.value <= fewer.upper * (1 + 1e-6):
        return None
    return Reason(
        "steps", f"{event.count - 1} steps have epsilon {fewer.upper:.6g}; {event.count} were taken"
    )
