"""The published formula that gives the claimed epsilon: at the accounted run, or at what a schedule was taken for."""

from __future__ import annotations

import math
from collections.abc import Iterator

from refdp.accounting import ADD_REMOVE, GaussianEvent, Ledger, Sampling, epsilon
from refdp.audit.causes.base import Case, Cause, Steps, figure, poisson_steps, schedule_kind
from refdp.audit.formulas import Match, Setting, recognise, tolerance_of
from refdp.audit.written import Written

ORDER = 10
NEAR, SHARP, CLOSE = 0.05, 1e-4, 2e-3  # a claim this near the truth, and matches this sharp (all relative)


def find(case: Case) -> Iterator[Cause]:
    """Of any claim that differs from the truth; of one that holds, where the match is close enough."""
    steps = poisson_steps(case)
    if steps is None or not case.claim.epsilon > 0:
        return
    if steps.constant:
        used = float(steps.multipliers[0])
        yield from _named(case, steps, used, f"noise multiplier {used:.6g}")
        return
    kind = schedule_kind(case)
    what = f"the {kind} schedule" if kind else "steps of different noise"
    mean = steps.harmonic
    found = list(_named(case, steps, mean, f"the harmonic mean {mean:.6g} of {what}"))
    if case.verdict != "holds" and (found or _is_true_of(case, steps, mean)):
        yield Cause(
            "harmonic-mean",
            f"{what} was accounted as its harmonic-mean noise multiplier {mean:.6g} throughout. Under sampling the "
            "cost of a step is convex in 1 / multiplier^2, so that varying it costs more than its mean (Jensen).",
        )
    yield from found


def _written(value: float) -> float | str:
    return value.text if isinstance(value, Written) else value


def _named(case: Case, steps: Steps, multiplier: float, at: str) -> Iterator[Cause]:
    setting = Setting(multiplier, steps.sample_rate, steps.steps, case.claim.delta)
    reading = case.accounted
    exact = (
        steps.constant and case.claim.ledger.neighboring == ADD_REMOVE and case.claim.ledger.group_size == 1
    )
    truth = (
        (reading.lower, reading.upper)
        if exact and reading.lower is not None and reading.upper is not None
        else None
    )
    matches: list[Match] = recognise(_written(case.claim.epsilon), setting, truth=truth)
    low, high = reading.lower or 0.0, math.inf if reading.upper is None else reading.upper
    if low * (1 - NEAR) < case.claim.epsilon < high * (1 + NEAR):
        # so near the truth, digits, steps or the rate are the likelier reason, and a rough match is chance
        matches = [m for m in matches if abs(m.difference) <= SHARP * m.epsilon]
    if case.verdict == "holds":
        matches = [m for m in matches if abs(m.difference) <= CLOSE * m.epsilon]
    if matches:
        first = matches[0]
        others = [name for match in matches[1:3] for name in match.names[:1]]
        also = f" Others within its digits: {', '.join(others)}." if others else ""
        says = f"{figure(case.claim.epsilon)} is {first.epsilon:.6g} by {first.formula.name}, at {at}"
        yield Cause(first.cause, f"{says}: {first.text}{also}")


def _is_true_of(case: Case, steps: Steps, multiplier: float) -> bool:
    """Whether the claim is right for a constant multiplier."""
    event = GaussianEvent(multiplier, Sampling("poisson", rate=steps.sample_rate), steps.steps)
    bounds = epsilon(Ledger(case.claim.ledger.neighboring, (event,)), case.claim.delta)
    near = tolerance_of(_written(case.claim.epsilon))
    high, low = bounds.upper, bounds.lower
    return (
        high is not None
        and low is not None
        and low - near <= case.claim.epsilon <= max(high, (bounds.rdp or {}).get("upper") or 0.0) + near
    )
