"""The sum in a narrower type: clip factors or gradients rounded before it (TF32, autocast), or the sum itself.

A factor rounded up carries a record past the clip norm, by a unit roundoff at most.
"""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import fits, narrow
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView, double

STAGE = "clipped sum"


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """What rounding factors, gradients, or both gives; and sums that have only a narrow type's bits."""
    clip_norm = view.step.clip_norm
    if not fits.differs(stage) or view.gradients is None or view.scales is None or clip_norm is None:
        return None
    if view.usable is None:
        return None
    found, causes = double(view.step.clipped_sum), []
    usable = view.usable
    rows = {n: np.where(usable.reshape(-1, *(1,) * (v.ndim - 1)), v, 0.0) for n, v in view.gradients.items()}
    for type_, bits in narrow.BITS.items():
        if stage.relative > narrow.MOST_ROUNDOFFS * 2.0**-bits:
            continue
        scales = narrow.rounded(view.scales, bits)
        narrowed = {n: narrow.rounded(v, bits) for n, v in rows.items()}
        by_tensor = narrow.rounded(fits.tensor_norms(view.gradients), bits)
        with np.errstate(all="ignore"):
            norms = narrow.rounded(np.sqrt(np.square(by_tensor).sum(axis=1)), bits)
        computed = narrow.rounded(fits.clip_scales(norms, clip_norm), bits)
        for words, factors, values in (
            ("norms of each parameter, norms of all and clip factors", computed, rows),
            ("clip factors", scales, rows),
            ("gradients", view.scales, narrowed),
            ("clip factors and gradients", scales, narrowed),
        ):
            error = fits.misfit(found, {n: np.tensordot(factors, v, axes=1) for n, v in values.items()})
            text = f"{words} rounded to {type_} before they are added up, to {error:.1e}"
            causes.append(Cause("sum-low-precision", text, False, error))
    fitting = fits.best(causes, tolerance)
    stored = narrow.stored_in(found, stage.relative)
    if fitting is None and stored is not None:
        text = (
            f"every entry has only {stored[1]} bits, and the sum is off by {stage.relative:.1e}: added up in "
            f"{stored[0]} (unit roundoff 2^-{stored[1]})"
        )
        return Cause("sum-low-precision", text, False, stage.relative)
    return fitting
