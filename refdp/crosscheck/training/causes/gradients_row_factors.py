"""Each row is a factor of its own times what it should be: clipped or normalised already, or weighted by class."""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView, double, norms_of

STAGE = "gradients"
ESTIMATES = True


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """Factors that differ from row to row, and what they follow."""
    if not fits.differs(stage) or view.reference is None:
        return None
    found, expected = fits.rows(double(view.step.grad_sample)), fits.rows(view.reference)
    squares = np.square(expected).sum(axis=1)
    if not len(found) or not np.isfinite(found).all() or not (squares > 0).all():
        return None
    factors = (found * expected).sum(axis=1) / squares
    wide = {name: factors.reshape(-1, *(1,) * (v.ndim - 1)) * v for name, v in view.reference.items()}
    error = fits.misfit(double(view.step.grad_sample), wide)
    if error > tolerance or (factors <= 0).any() or np.ptp(factors) <= tolerance * factors.max():
        return None
    return _clipped(view, factors, error, tolerance) or _by_class(view, factors, error, tolerance)


def _clipped(view: StepView, factors: np.ndarray, error: float, tolerance: float) -> Cause | None:
    clip_norm = view.step.clip_norm
    if clip_norm is None or view.reference is None:
        return None
    norms = norms_of(view.reference)
    rules = {
        "gradients-already-clipped": fits.clip_scales(norms, clip_norm),
        "gradients-normalised": clip_norm / norms,
    }
    for id_, scales in rules.items():
        # C / (n + 1e-6) is a millionth of C or so from C / n
        if (np.abs(factors / scales - 1.0) <= np.maximum(tolerance, 2e-6 / norms)).all():
            text = (
                f"each row is refdp's times a factor, {factors.min():.4g} to {factors.max():.4g}, and has norm "
                f"{(factors * norms).max():.6g} at most: recorded after scaling to the clip norm {clip_norm:g}"
            )
            return Cause(id_, text, True, error)
    return None


def _by_class(view: StepView, factors: np.ndarray, error: float, tolerance: float) -> Cause | None:
    labels = view.step.y
    if labels is None:
        return None
    classes, places, counts = np.unique(labels, return_inverse=True, return_counts=True)
    means = np.bincount(places, factors) / counts
    if counts.max() < 2 or (np.abs(factors - means[places]) > tolerance * means[places]).any():
        return None
    weights = ", ".join(f"{label}: {mean:.4g}" for label, mean in zip(classes, means, strict=True))
    text = f"each row is refdp's times the weight of its class ({weights}): class weights in the loss"
    return Cause("class-weights", text, True, error)
