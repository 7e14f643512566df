"""A record whose gradient holds NaN or inf goes through clipping, and takes the whole sum with it.

C / NaN is NaN, so a factor that is multiplied in does not drop it: whether such a record is in the batch is then seen
by everyone (arXiv 2602.17454). refdp counts it as zero.
"""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView

STAGE = "clipped sum"


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """The sum is not finite where a record is not, and refdp's is."""
    if not fits.differs(stage) or view.usable is None or view.clipped_sum is None or view.usable.all():
        return None
    found, expected = fits.flat(view.step.clipped_sum), fits.flat(view.clipped_sum)
    lost = int((~np.isfinite(found)).sum())
    if not lost or not np.isfinite(expected).all():
        return None
    kept = np.isfinite(found)
    error = float(np.linalg.norm((found - expected)[kept]) / max(float(np.linalg.norm(expected)), 1e-300))
    if error > tolerance:
        return None
    bad = np.flatnonzero(~view.usable)
    text = (
        f"record {bad[0]}{f' and {len(bad) - 1} more' if len(bad) > 1 else ''} of the batch is not finite, and {lost} "
        f"of {len(found)} entries of the sum are not either: drop such records before the sum"
    )
    return Cause("nan-passes", text, False, error)
