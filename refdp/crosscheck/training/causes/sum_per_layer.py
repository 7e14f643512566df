"""Each parameter, or each layer, clipped on its own: to C (K = C sqrt(L)), or to C / sqrt(L) (K = C).

He et al. 2022 (arXiv 2212.01539). With C for each of L parts one record moves the sum by C sqrt(L), and noise for C is
too little by that factor.
"""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView, double

STAGE = "clipped sum"


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """The four of them."""
    clip_norm = view.step.clip_norm
    if not fits.differs(stage) or view.gradients is None or clip_norm is None or len(view.gradients) < 2:
        return None
    by_layer = fits.layer_norms(view.gradients)
    whole = np.stack([by_layer[fits.layer_of(name)] for name in view.gradients], axis=1)
    parts = (
        ("parameter", len(view.gradients), fits.tensor_norms(view.gradients)),
        ("layer", len(by_layer), whole),
    )
    found, causes = double(view.step.clipped_sum), []
    for words, number, norms in parts:
        if number < 2:
            continue
        for each, safe in ((clip_norm, False), (clip_norm / number**0.5, True)):
            error = fits.misfit(found, fits.sum_by_tensor(view, fits.clip_scales(norms, each)))
            bound = each * number**0.5
            text = (
                f"each of {number} {words}s clipped to {each:.6g} on its own, to {error:.1e}: a record contributes up "
                f"to {bound:.6g}, clip_norm is {clip_norm:g}"
            )
            causes.append(Cause("per-layer" if safe else "per-layer-full-clip-norm", text, safe, error))
    return fits.best(causes, tolerance)
