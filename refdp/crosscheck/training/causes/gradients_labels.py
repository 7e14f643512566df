"""Each row is right for another label than the recorded one: samples and labels do not go together."""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView, double, inputs, per_sample_gradients

STAGE = "gradients"
ESTIMATES = True
MOST_CLASSES = 100


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """For every row, the class whose label gives it."""
    step, network = view.step, view.network
    if (
        not fits.differs(stage)
        or network is None
        or step.x is None
        or step.y is None
        or view.reference is None
    ):
        return None
    if network.num_classes > MOST_CLASSES or not len(step.y):
        return None
    found, x = fits.rows(double(step.grad_sample)), inputs(network, step.x, view.meta)
    distances, lengths = (np.empty((network.num_classes, len(step.y))) for _ in range(2))
    for label in range(network.num_classes):
        rows = fits.rows(per_sample_gradients(network, step.params, x, np.full_like(step.y, label)))
        distances[label] = np.linalg.norm(found - rows, axis=1)
        lengths[label] = np.linalg.norm(rows, axis=1)
    used = distances.argmin(axis=0)
    places = used, np.arange(len(used))
    error = float((distances[places] / np.maximum(lengths[places], 1e-3 * lengths.max())).max())
    if not error <= tolerance or np.array_equal(used, step.y):
        return None
    wrong = used != step.y
    first = int(np.flatnonzero(wrong)[0])
    same = np.array_equal(np.sort(used), np.sort(step.y))
    how = "the recorded labels in another order" if same else "not those recorded"
    text = (
        f"{int(wrong.sum())} of {len(used)} rows are right for another label, to {error:.1e}, such as {used[first]} "
        f"instead of {step.y[first]} in row {first}: the labels used are {how}"
    )
    if same:  # x of one row and y of another
        text += "; if they were trained on so, one record moves two rows, by 2 C together"
    return Cause("labels-out-of-order" if same else "other-labels", text, None if same else True, error)
