"""A report's answer in plain words."""

from __future__ import annotations

from refdp.audit.power import Power
from refdp.audit.report.table import CANNOT, NO_BOUND, REFUTED, Report
from refdp.figures import lower_figure, upper_figure


def number(value: float) -> str:
    """A number as it was given."""
    return f"{value:.10g}"


def claim_figure(epsilon: float) -> str:
    """A claim as it was given; one of more digits than anybody gives, as an upper bound."""
    return number(epsilon) if len(number(epsilon)) <= 7 else upper_figure(epsilon)


def rough(value: float) -> str:
    """Three digits, rounded up: of what was simulated."""
    from decimal import ROUND_CEILING, Context, Decimal

    return f"{Context(prec=3, rounding=ROUND_CEILING).plus(Decimal(value)).normalize():f}"


def percent(confidence: float) -> str:
    """0.95 as 95 %."""
    return f"{100 * confidence:.10g} %"


def chance(found: Power) -> str:
    """0.8 as "4 of 5"."""
    from fractions import Fraction

    share = Fraction(found.chance).limit_denominator(20)
    return f"{share.numerator} of {share.denominator}"


def summary(found: Report) -> str:
    """The verdict in one line; without a claim the declared estimator's bound."""
    estimate, by = found.declared.estimate, found.verdict_by
    if found.verdict == NO_BOUND:
        return f"no bound: {by} refuses: {estimate.refused}"
    bound, ceiling = lower_figure(estimate.epsilon), upper_figure(estimate.ceiling)
    at = f"at delta {number(found.design.delta)} with confidence {percent(found.design.confidence)}"
    if found.claimed is None:
        if not estimate.epsilon:
            return f"no leak is shown by {by}: its bound is 0 {at}; no scores could have shown more than {ceiling}"
        return f"epsilon is at least {bound} {at}, by {by}"
    claimed = claim_figure(found.claimed)
    if found.verdict == REFUTED:
        return f"REFUTED: epsilon is at least {bound} {at}, by {by}, above the claimed {claimed}"
    if found.verdict == CANNOT:
        more = "" if found.needed is None else f"; it takes {found.needed:,} canaries or more"
        return (
            f"cannot refute {claimed} whatever leaks: with {found.sizes.canaries:,} canaries no bound by {by} "
            f"exceeds {ceiling}{more}"
        )
    return f"not refuted: the bound by {by} is {bound} <= {claimed}{_refutable(found.declared.power)}"


def _refutable(found: Power | None) -> str:
    if found is None:
        return ""
    if found.smallest_refutable is None:
        return (
            f"; no Gaussian leak, however large, would have been refuted in {chance(found)} such experiments"
        )
    return (
        f"; a Gaussian leak of {rough(found.smallest_refutable)} or more, scored as well as can be, would have been "
        f"refuted in {chance(found)} such experiments"
    )
