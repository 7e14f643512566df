"""The relation accounted under is not the one that what was run has a bound under."""

from __future__ import annotations

from collections.abc import Iterator

from refdp.audit.causes.base import Case, Cause, interval

ORDER = 30


def find(case: Case) -> Iterator[Cause]:
    """Where replace-one was meant: two contributions move."""
    run = case.run
    if run is None or run.ledger.neighboring == case.accounted.ledger.neighboring:
        return
    was, now = case.accounted.ledger.neighboring, run.ledger.neighboring
    if now == "replace-one":
        why = "replacing a record moves two contributions, twice the sensitivity"
    elif was == "add-remove":
        why = "removing a record would shift the batches after it, so that add-remove has no meaning there"
    else:
        why = "the two are different guarantees"
    yield Cause("neighboring-relation", f"accounted under {was}, run under {now} ({interval(run)}): {why}.")
