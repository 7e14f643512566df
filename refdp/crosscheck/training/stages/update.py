"""Weights after the step as recorded, beside theta - rate * v with v = momentum * v + released / divisor."""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training.result import AGREES, DIFFERS, MISSING, Cause, Stage, differences
from refdp.crosscheck.training.view import Arrays, StepView

NAME = "update"


def judge(view: StepView, tolerance: float) -> Stage:
    """What each parameter moved by, within ``tolerance`` relative and the rounding of the weights."""
    step = view.step
    moved = _moved_between(view)
    if moved is not None:
        return moved
    if not step.params_after or not step.params:
        return Stage(NAME, MISSING, "param or param_after was not recorded")
    expected = moved_by(view)
    if expected is None:
        return Stage(NAME, MISSING, "nothing to hold param_after against: " + lacking(view))
    found, room = observed_move(view), weight_rounding(view)
    given = {
        name: np.where(np.abs(found[name] - expected[name]) <= room[name], expected[name], found[name])
        for name in expected
    }
    judged = differences(given, expected)
    agrees = all(d.relative <= tolerance for d in judged)
    due = any(values.any() for values in expected.values())
    if agrees and due and all((np.abs(values) <= room[name]).all() for name, values in expected.items()):
        return Stage(
            NAME, MISSING, "no weight is due to move by more than it is rounded by; record them in float64"
        )
    return Stage(
        NAME, AGREES if agrees else DIFFERS, "the recorded noised sum, divided and taken as a step", judged
    )


def _moved_between(view: StepView) -> Stage | None:
    """Weights before this step that are not those after the step before; None where they are, or that is not known."""
    step, before = view.step, view.earlier[-1] if view.earlier else None
    if before is None or step.step is None or not step.follows(before) or not before.params_after:
        return None
    changed = []
    for name, values in step.params.items():
        old = before.params_after.get(name)
        if old is None or old.shape != values.shape:
            continue
        kind = min(old.dtype, values.dtype, key=lambda dtype: dtype.itemsize)
        gap = np.abs(old.astype(np.float64) - values.astype(np.float64))
        room = np.spacing(np.abs(old).astype(kind)).astype(np.float64)
        if (gap > room).any():
            changed.append(name)
    if not changed:
        return None
    found = differences({n: step.params[n] for n in changed}, {n: before.params_after[n] for n in changed})
    text = (
        f"weights of {', '.join(changed[:3])}{' ...' if len(changed) > 3 else ''} are not those after step "
        f"{before.step}: something that was not recorded changed them between the steps"
    )
    cause = Cause("weights-changed-between-steps", text, None)
    return Stage(NAME, DIFFERS, f"the weights after step {before.step}", found, (cause,))


def moved_by(view: StepView) -> Arrays | None:
    """param_after - param, as it should be; None where the trace has not what it takes."""
    step = view.step
    divisor = step.divisor if step.divisor is not None else step.expected_batch_size
    if view.released is None or divisor is None or step.learning_rate is None:
        return None
    momentum = step.momentum or 0.0
    if momentum and view.velocity is None:
        return None
    old = view.velocity if momentum and view.velocity is not None else {}
    return {
        name: -step.learning_rate * (momentum * old.get(name, 0.0) + values / divisor)
        for name, values in view.released.items()
    }


def observed_move(view: StepView) -> Arrays:
    """param_after - param as recorded, float64."""
    step = view.step
    return {
        name: np.subtract(after, step.params[name], dtype=np.float64)
        for name, after in step.params_after.items()
    }


def weight_rounding(view: StepView) -> Arrays:
    """What rounding the weights to their own type can take of a move: two units in the last place."""
    return {
        name: 2.0
        * np.spacing(np.maximum(np.abs(after), np.abs(view.step.params[name]).astype(after.dtype))).astype(
            np.float64
        )
        for name, after in view.step.params_after.items()
    }


def lacking(view: StepView) -> str:
    """What an update cannot be computed without, and was not recorded."""
    step = view.step
    missing = [key for key in ("learning_rate",) if getattr(step, key) is None]
    if step.divisor is None and step.expected_batch_size is None:
        missing.append("divisor")
    if view.released is None:
        missing.append("the noised sum (a single draw of it)")
    if step.momentum and view.velocity is None:
        missing.append("every step from step 0 on, with its number, which momentum remembers")
    return ", ".join(missing) + " not recorded"
