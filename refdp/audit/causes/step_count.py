"""Tools turn epochs into steps in different ways (accounting/counting.py); an answer that hangs on it says so."""

from __future__ import annotations

from collections.abc import Iterator

from refdp.audit.causes.base import Case, Cause, interval

ORDER = 70


def find(case: Case) -> Iterator[Cause]:
    """Where the claim holds at one count and not at another, at the accounted rate."""
    rates = {event.sampling.rate for event in case.accounted.ledger.events}
    same = [r for r in case.steps if {event.sampling.rate for event in r.ledger.events} == rates]
    within = [r for r in same if r.upper is not None and r.upper <= case.claim.epsilon]
    beyond = [r for r in same if case.refutes(r)]
    if within and beyond:
        listed = ", ".join(f"{r.ledger.events[0].count:,} steps {interval(r)}" for r in same)
        yield Cause("step-count", f"the answer hangs on how epochs were turned into steps: {listed}.")
