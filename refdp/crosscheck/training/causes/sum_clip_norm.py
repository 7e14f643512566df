"""Flat clipping, to another clip norm than the recorded one.

Between two neighbouring norms the sum is linear in C', so the closest C' is found there exactly.
"""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView, double

STAGE = "clipped sum"
ESTIMATES = True
LEAST_CLIPPED = 2


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """The C' that gives the recorded sum, where it clips two records or more."""
    clip_norm, norms = view.step.clip_norm, view.norms
    if not fits.differs(stage) or view.gradients is None or clip_norm is None or norms is None:
        return None
    found = double(view.step.clipped_sum)
    if not np.isfinite(fits.flat(found)).all():
        return None
    used = _closest(view, fits.flat(found), norms)
    if used is None or fits.near(used, clip_norm, 2 * tolerance) or (norms > used).sum() < LEAST_CLIPPED:
        return None
    error = fits.misfit(found, view.sum_with(fits.clip_scales(norms, used)))
    text = f"clipped to {used:.6g}, to {error:.1e}, where clip_norm is recorded as {clip_norm:g}"
    statistic = _statistic(used, norms[np.isfinite(norms)])
    if statistic is not None:
        text += f"; it is {statistic} of this batch's norms: taken from them without noise, it tells of them"
    safe = used < clip_norm and (None if statistic else True)
    return fits.best([Cause("other-clip-norm", text, safe, error)], tolerance)


def _statistic(used: float, norms: np.ndarray) -> str | None:
    """What of the batch's own norms a clip norm is, if anything."""
    known = {"the median": float(np.median(norms)), "the mean": float(norms.mean())}
    known |= {f"the {100 * q:g} % quantile": float(np.quantile(norms, q)) for q in (0.1, 0.25, 0.75, 0.9)}
    known["one"] = float(norms[np.abs(norms - used).argmin()])
    return next((words for words, value in known.items() if fits.near(used, value, 1e-4)), None)


def _closest(view: StepView, found: np.ndarray, norms: np.ndarray) -> float | None:
    """Of each interval between norms, the closest C'; of all of them, the closest."""
    assert view.gradients is not None
    usable = np.flatnonzero(np.isfinite(norms) & (norms > 0))
    order = usable[np.argsort(norms[usable])]
    rows = fits.rows(view.gradients)
    whole, units = np.zeros_like(found), (rows[order] / norms[order, None]).sum(axis=0)
    best: tuple[float, float] | None = None
    for place, sample in enumerate(order):
        low, high = norms[order[place - 1]] if place else 0.0, norms[sample]
        square = float(units @ units)
        if square > 0:
            used = float(np.clip((found - whole) @ units / square, low, high))
            left = float(np.linalg.norm(found - whole - used * units))
            if used > 0 and (best is None or left < best[0]):
                best = left, used
        whole, units = whole + rows[sample], units - rows[sample] / norms[sample]
    return None if best is None else best[1]
