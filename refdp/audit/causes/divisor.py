"""The noisy sum was divided by the batch size that happened, which under Poisson sampling is private.

arXiv 2605.15648 shows implementations that leak more than the accounted curve for that reason.
"""

from __future__ import annotations

from collections.abc import Iterator

from refdp.accounting import ADD_REMOVE, Ledger
from refdp.audit.causes.base import Case, Cause

ORDER = 40
PUBLIC = (
    "shuffle",
    "fixed-order",
    "without-replacement",
    "full-batch",
)  # where the relation keeps the number of records
UNBOUNDED = (
    "no bound: the sum was divided by the realised batch size, which depends on who was drawn and scales the noise "
    "with it; divide by the expected one"
)


def is_private(ledger: Ledger, divisor: str | None) -> bool:
    """Whether a realised divisor tells anything: not where batch sizes are fixed and public."""
    if divisor != "realised":
        return False
    schemes = {event.sampling.scheme for event in ledger.events if not event.is_no_op()}
    return ledger.neighboring == ADD_REMOVE or bool(schemes - set(PUBLIC))


def find(case: Case) -> Iterator[Cause]:
    """Where the divisor was the realised batch size."""
    run = case.run
    if run is not None and is_private(run.ledger, case.claim.actual.divisor):
        yield Cause(
            "realised-divisor",
            "divided by the realised batch size: that number depends on who is in the data, sets the scale of the "
            "noise, and no accountant here or elsewhere charges for it.",
        )
