"""The noisy sum was divided by the batch size that happened, which under Poisson sampling is private.

arXiv 2605.15648 shows implementations that leak more than the accounted curve for that reason.
"""

from __future__ import annotations

from collections.abc import Iterator

from refdp.audit.causes.base import Case, Cause

ORDER = 40
PUBLIC = ("shuffle", "fixed-order", "without-replacement", "full-batch")
UNBOUNDED = (
    "no bound: the sum was divided by the realised batch size, which depends on who was drawn and scales the noise "
    "with it; divide by the expected one"
)


def is_private(case_events: object, divisor: str | None) -> bool:
    """Whether a realised divisor tells anything: not where batch sizes are fixed."""
    if divisor != "realised":
        return False
    return any(e.sampling.scheme not in PUBLIC for e in case_events)  # type: ignore[attr-defined]


def find(case: Case) -> Iterator[Cause]:
    """Where the divisor was the realised batch size."""
    run = case.run
    if run is not None and is_private(run.ledger.events, case.claim.actual.divisor):
        yield Cause(
            "realised-divisor",
            "divided by the realised batch size: under Poisson sampling that number is private, sets the scale of "
            "the noise, and no accountant here or elsewhere charges for it.",
        )
