"""inf just where refdp's gradient is beyond what float16 holds."""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView, double

STAGE = "gradients"
LARGEST = 65504.0
ROUNDOFF = 2.0**-10


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """Infinite above 65504, of the right sign, and elsewhere right to float16."""
    if not fits.differs(stage) or view.reference is None:
        return None
    found, expected = fits.rows(double(view.step.grad_sample)), fits.rows(view.reference)
    infinite, beyond = np.isinf(found), np.abs(expected) > LARGEST * (1 - ROUNDOFF)
    if not infinite.any() or np.isnan(found).any() or not beyond[infinite].all():
        return None
    if (infinite != (np.abs(expected) > LARGEST * (1 + ROUNDOFF)))[~beyond].any():
        return None
    if (np.sign(found) != np.sign(expected))[infinite].any():
        return None
    error = float(np.linalg.norm((found - expected)[~infinite]) / np.linalg.norm(expected[~infinite]))
    if error > max(tolerance, ROUNDOFF):
        return None
    text = (
        f"{int(infinite.sum())} entries are infinite, and refdp's are beyond 65504, the largest float16, just there "
        f"(the largest is {np.abs(expected).max():.3g}); the rest is right to {error:.1e}: use float32"
    )
    return Cause("float16-overflow", text, None, error)
