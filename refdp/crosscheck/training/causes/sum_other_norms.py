"""Clipped by something else than each gradient's Euclidean norm: by norms as recorded, without biases, of one part.

A ghost norm that leaves the bias out clips too little: each record may contribute more than the clip norm.
"""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import fits, other_norms
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView, double

STAGE = "clipped sum"


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """Which norms, put in min(1, C / n), give the recorded sum."""
    clip_norm = view.step.clip_norm
    if not fits.differs(stage) or view.gradients is None or view.norms is None or clip_norm is None:
        return None
    if view.usable is None:
        return None
    made: list[tuple[str, str, bool | None, np.ndarray]] = []
    bare = other_norms.without_bias(view.gradients)
    if bare is not None:
        made.append(("clipped-without-bias", "norms of the weights alone: biases are left out", False, bare))
    for name, norms in other_norms.of_parts(view.gradients).items():
        made.append(("clipped-by-one-part", f"norms of {name} alone", False, norms))
    for words, norms in other_norms.by_measure(view.gradients).items():
        made.append(("clipped-by-another-measure", words, "sum of" in words, norms))
    if view.step.norms is not None:
        recorded = np.asarray(view.step.norms, dtype=np.float64)
        made.append(
            ("clipped-by-recorded-norms", "the norms as recorded, which differ already", None, recorded)
        )
    found, causes = double(view.step.clipped_sum), []
    for id_, words, safe, norms in made:
        scales = fits.clip_scales(norms, clip_norm)
        if (scales[view.usable] == 1.0).all():  # not clipped at all: said elsewhere
            continue
        error = fits.misfit(found, view.sum_with(scales))
        with np.errstate(invalid="ignore"):
            longest = float(np.nanmax(scales * view.norms, initial=0.0))
        text = f"clipped by {words}, to {error:.1e}; a record contributes up to {longest:.4g}, clip_norm {clip_norm:g}"
        causes.append(Cause(id_, text, safe, error))
    return fits.best(causes, tolerance)
