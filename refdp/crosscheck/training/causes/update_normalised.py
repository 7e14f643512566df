"""A step whose length does not follow the gradient's: of signs, as Adam's first is, or normalised."""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.moves import closest, moves
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView

STAGE = "update"
SMALL = 1e-8
"""Adam's and RMSProp's epsilon, where it is the default."""


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """Adam and RMSProp from zero memory: g / (|g| + 1e-8) and g / (|g| / 10 + 1e-8); signs; and g / |g|."""
    seen = moves(view, stage)
    if seen is None:
        return None
    gradient = seen.gradient
    whole = float(np.linalg.norm(fits.flat(gradient)))
    made = (
        ("adam-step", "Adam's first step", {n: g / (np.abs(g) + SMALL) for n, g in gradient.items()}),
        (
            "rmsprop-step",
            "RMSProp's first step",
            {n: g / (0.1 * np.abs(g) + SMALL) for n, g in gradient.items()},
        ),
        (
            "sign-step",
            "a step of the learning rate for each sign",
            {n: np.sign(g) for n, g in gradient.items()},
        ),
        (
            "normalised-step",
            f"a step of length {seen.rate:g}",
            {n: g / (whole or 1.0) for n, g in gradient.items()},
        ),
    )
    return closest(
        [
            seen.cause(
                id_, f"{text}, where plain SGD was recorded", True, fits.scaled(g, -seen.rate), tolerance
            )
            for id_, text, g in made
        ]
    )
