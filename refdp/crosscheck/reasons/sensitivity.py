"""Replace-one moves a sum by 2 C, and the figure is for a sensitivity of C; or what a doubled sensitivity gives."""

from __future__ import annotations

from dataclasses import replace

from refdp.accounting import AccountingError, GaussianEvent, Ledger, Sampling, Schedule
from refdp.crosscheck.finding import Finding, Reason
from refdp.crosscheck.truth import Truth

ORDER = 2.5
_NEAR = 1e-3  # relative; what a grid of losses or of orders costs here


def find(finding: Finding) -> Reason | None:
    """That twice the noise makes the figure valid, or that Poisson sampling with half of it gives the figure."""
    ledger = finding.seen.ledger
    if any(e.sampling.scheme != "without-replacement" for e in ledger.events) or not ledger.events:
        return None
    if finding.verdict.word == "unsafe":
        twice = _scaled(ledger, 2.0, finding.truth.delta)
        if twice is None or twice.lower is None or finding.value < twice.lower:
            return None
        return Reason(
            "relation",
            f"sensitivity C instead of 2 C under replace-one: with twice the noise multiplier epsilon is "
            f"{twice.lower:.6g} to {twice.upper:.6g}",
        )
    half = _scaled(ledger, 0.5, finding.truth.delta, poisson=True)
    if half is None:
        return None
    value = finding.imitated_rdp(half).value if finding.method == "rdp" else half.upper
    if not finding.same(value, _NEAR):
        return None
    return Reason(
        "pair",
        "the Poisson pair at half the noise multiplier, one direction at a time; it is attained, but not "
        "proved to dominate when composed",
    )


def _scaled(ledger: Ledger, factor: float, delta: float, *, poisson: bool = False) -> Truth | None:
    events = []
    for event in ledger.events:
        if not isinstance(event, GaussianEvent) or isinstance(event.noise, Schedule) or event.noise is None:
            return None
        of, sampling = event.sampling, event.sampling
        if poisson and of.batch_size is not None and of.dataset_size:
            sampling = Sampling("poisson", of.batch_size / of.dataset_size)
        events.append(replace(event, noise=event.noise * factor, sampling=sampling))
    try:
        return Truth(Ledger("add-remove" if poisson else ledger.neighboring, tuple(events)), delta)
    except AccountingError:
        return None
