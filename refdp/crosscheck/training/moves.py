"""What the weights moved by, beside what a cause would have moved them by."""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.stages.update import moved_by, observed_move, weight_rounding
from refdp.crosscheck.training.view import Arrays, StepView, double


class Moves:
    """A step's move as recorded and as it should be; all by parameter, float64."""

    def __init__(self, view: StepView, expected: Arrays) -> None:
        step = view.step
        self.found, self.room, self.expected = observed_move(view), weight_rounding(view), expected
        self.params = double(step.params)
        self.rate = step.learning_rate or 0.0
        divisor = step.divisor if step.divisor is not None else step.expected_batch_size
        self.divisor = divisor or 1.0
        self.momentum = step.momentum or 0.0
        self.velocity = view.velocity or {name: np.zeros_like(values) for name, values in expected.items()}
        released = view.released or {}
        self.gradient = fits.scaled(released, 1.0 / self.divisor)  # what momentum takes in

    def cause(self, id_: str, text: str, safe: bool | None, made: Arrays, tolerance: float) -> Cause | None:
        """This cause, where it moves the weights as recorded: within tolerance, or rounding of the weights."""
        given = {
            name: np.where(np.abs(self.found[name] - values) <= self.room[name], values, self.found[name])
            for name, values in made.items()
        }
        if not fits.misfit(given, made) <= tolerance:
            return None
        error = fits.misfit(self.found, made)
        return Cause(
            id_, f"{text}; weights moved so, to {error:.1e}", safe, error if np.isfinite(error) else 0.0
        )


def moves(view: StepView, stage: Stage) -> Moves | None:
    """For a stage that differs."""
    if stage.causes:  # the stage has said itself what it is
        return None
    expected = moved_by(view) if fits.differs(stage) and view.step.params_after else None
    if expected is None or not all(np.isfinite(values).all() for values in expected.values()):
        return None
    return Moves(view, expected)


def closest(causes: list[Cause | None]) -> Cause | None:
    """Of those that fit."""
    return min((c for c in causes if c is not None), key=lambda cause: cause.error, default=None)
