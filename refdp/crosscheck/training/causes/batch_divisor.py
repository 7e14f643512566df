"""A divisor that is not the expected batch size: a remark, since dividing is right whatever it is divided by.

Under Poisson sampling the realised batch size differs with one record's presence: a mean by it is not what was
accounted for, and the size itself is released.
"""

from __future__ import annotations

from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView

STAGE = "batch"


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """Where both are recorded, and differ."""
    step = view.step
    divisor, expected, size = step.divisor, step.expected_batch_size, step.batch_size
    if divisor is None or expected is None or abs(divisor - expected) <= tolerance * expected:
        return None
    if divisor == size:
        text = (
            f"the divisor {divisor:g} is the realised batch size, and {expected:g} are expected: under Poisson "
            f"sampling divide by the expected size, which does not depend on who was drawn"
        )
        return Cause("divisor-is-realised-size", text, False)
    text = f"the divisor is {divisor:g}, the expected batch size {expected:g}; a constant is safe, and scales the step"
    return Cause("divisor-not-expected", text, True)
