"""Tools turn epochs into steps in three ways; where the answer hangs on it, which one counted is said."""

from __future__ import annotations

from collections.abc import Iterator

from refdp.audit.causes.base import Case, Cause, interval

ORDER = 70


def find(case: Case) -> Iterator[Cause]:
    """Where the claim holds at one count and not at another."""
    within = [r for r in case.steps if r.upper is not None and r.upper <= case.claim.epsilon]
    beyond = [r for r in case.steps if case.refutes(r)]
    if within and beyond:
        listed = ", ".join(f"{r.name} {interval(r)}" for r in case.steps)
        yield Cause("step-count", f"the answer hangs on how epochs were turned into steps: {listed}.")
