"""A parameter's gradient in another layout: axes exchanged, or the kernel read backwards."""

from __future__ import annotations

import itertools

import numpy as np

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView

STAGE = "gradients"


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """Every parameter that differs is right once its entries are put in another order."""
    if not fits.differs(stage) or view.reference is None:
        return None
    orders, worst = [], 0.0
    for difference in stage.differences:
        name = difference.name
        if difference.relative <= tolerance:
            continue
        found = np.asarray(view.step.grad_sample[name], dtype=np.float64)
        errors = {
            how: fits.misfit({name: found}, {name: values}) for how, values in _orders(view.reference[name])
        }
        how = min(errors, key=lambda key: errors[key], default=None)
        if how is None or errors[how] > tolerance:
            return None
        orders.append(f"{name} {how}")
        worst = max(worst, errors[how])
    text = f"right in another order of entries, to {worst:.1e}: {', '.join(orders)}"
    return Cause("layout", text, True, worst)


def _orders(values: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """All exchanges of a parameter's axes that leave its shape, and the kernel reversed."""
    found = []
    for axes in itertools.permutations(range(1, values.ndim)):
        turned = values.transpose(0, *axes)
        if turned.shape == values.shape and axes != tuple(range(1, values.ndim)):
            found.append((f"with axes {tuple(a - 1 for a in axes)}", turned))
    if values.ndim == 5:
        found.append(("with its kernel reversed", values[..., ::-1, ::-1]))
    return found
