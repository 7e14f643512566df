"""Known causes, one a file: what a stage's numbers would be if it were so, beside what they are.

A file assigns ``STAGE``, the name of the stage it explains, and defines

    explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None

which answers a Cause where the numbers are within ``tolerance`` (relative, unless it says otherwise) of what this cause
gives, and where they would not be if it were not so. It is asked about every stage that was judged: where the stage
agrees, a Cause is a remark, about something that is within tolerance. A file whose cause takes a number from the trace
itself (a factor, a clip norm, which records) assigns ``ESTIMATES = True``: where it fits, so may a plainer one.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from types import ModuleType

from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView

SAME = 1e-6
"""Relative: below this, what is left over is float32's rounding, and tells no cause from another."""


@cache
def modules() -> tuple[ModuleType, ...]:
    """Every cause's file, by name."""
    return tuple(
        importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)
    )


def explain(view: StepView, stage: Stage, tolerance: float) -> tuple[Cause, ...]:
    """Causes that fit a judged stage, the closest first; of those equally close, one that estimates nothing first."""
    asked = [
        (module, module.explain(view, stage, tolerance)) for module in modules() if stage.name == module.STAGE
    ]
    found = [
        (cause, bool(getattr(module, "ESTIMATES", False))) for module, cause in asked if cause is not None
    ]
    if not found:
        return ()
    equal = max(SAME, 1.5 * min(cause.error for cause, _ in found))
    found.sort(key=lambda one: (one[0].error > equal, one[1], one[0].error))
    return tuple(cause for cause, _ in found)
