"""Some records counted otherwise than once, clipped: left out, counted twice, not clipped, or scaled by another's norm.

Each record's weight is recovered from the sum by least squares (there are more parameters than records), rounded to
what it may be, and the sum of that is held against the recorded one.
"""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView, double

STAGE = "clipped sum"
ESTIMATES = True
NEAR = 1e-2


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """What some records' weights are, where all others' are right."""
    if not fits.differs(stage) or view.gradients is None or view.scales is None or view.usable is None:
        return None
    found, rows = double(view.step.clipped_sum), fits.rows(view.gradients)
    usable = np.flatnonzero(view.usable & (view.scales > 0))
    if not 0 < len(usable) <= rows.shape[1] // 2 or not np.isfinite(fits.flat(found)).all():
        return None
    scales = view.scales[usable]
    clipped = scales[:, None] * rows[usable]
    weights = np.linalg.lstsq(clipped.T, fits.flat(found), rcond=None)[0]
    readings = {
        "counts": np.where(np.abs(weights - np.rint(weights)) <= NEAR, np.rint(weights), 1.0),
        "record-not-clipped": np.where(np.abs(weights * scales - 1.0) <= NEAR, 1.0 / scales, 1.0),
        "scales-out-of-order": _reordered(weights * scales, scales) / scales,
    }
    causes = []
    for id_, read in readings.items():
        full = np.zeros(len(rows))
        full[usable] = read * scales
        wrong = np.flatnonzero(np.abs(read - 1.0) > tolerance)
        if len(wrong) and (id_ != "counts" or (read[wrong] >= 0).all()):
            error = fits.misfit(found, view.sum_with(full))
            causes.append(_cause(id_, usable[wrong], read[wrong], len(usable), error))
    return fits.best(causes, tolerance)


def _reordered(weights: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """The scales, in the order of the recovered weights."""
    order = np.empty_like(scales)
    order[np.argsort(weights)] = np.sort(scales)
    return order


def _cause(id_: str, records: np.ndarray, times: np.ndarray, number: int, error: float) -> Cause:
    which = f"records {', '.join(map(str, records[:5]))}{' ...' if len(records) > 5 else ''} of {number} in the batch"
    if id_ == "scales-out-of-order":
        return Cause(id_, f"{which} are scaled by other records' factors, to {error:.1e}", False, error)
    if id_ == "record-not-clipped":
        return Cause(id_, f"{which} are added without clipping, to {error:.1e}", False, error)
    counts = ", ".join(f"{value:g}" for value in np.unique(times))
    left_out = not times.any()
    text = f"{which} count {counts} times, to {error:.1e}"
    return Cause("record-left-out" if left_out else "record-counted-twice", text, left_out, error)
