"""The right step, times something: divided by another number, by nothing, or twice; or uphill."""

from __future__ import annotations

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.moves import closest, moves
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView

STAGE = "update"


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """A known factor for all parameters; see also ``update_rate``."""
    seen = moves(view, stage)
    if seen is None:
        return None
    step, divisor = view.step, seen.divisor
    made: list[tuple[str, float, str, bool | None]] = [
        ("update-uphill", -1.0, "the step is added where it should be taken off", True),
    ]
    size = step.batch_size
    if size and size != divisor:
        text = f"divided by the realised batch size {size}, and not by {divisor:g}: it differs with a record's presence"
        made.append(("realised-batch-size", divisor / size, text, False))
    expected = step.expected_batch_size
    if expected and expected not in (divisor, size):
        made.append(
            ("other-divisor", divisor / expected, f"divided by {expected:g}, and not by {divisor:g}", True)
        )
    if divisor != 1:
        made.append(("divided-twice", 1 / divisor, f"divided by {divisor:g} twice", True))
        made.append(("not-divided", divisor, f"not divided by {divisor:g}: a sum taken for a mean", True))
    if seen.rate not in (0.0, 1.0):
        made.append(
            (
                "learning-rate-twice",
                seen.rate,
                f"the learning rate {seen.rate:g} is multiplied in twice",
                True,
            )
        )
        made.append(
            ("without-learning-rate", 1 / seen.rate, f"the learning rate {seen.rate:g} is left out", True)
        )
    return closest(
        [
            seen.cause(id_, text, safe, fits.scaled(seen.expected, factor), tolerance)
            for id_, factor, text, safe in made
        ]
    )
