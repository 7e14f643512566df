"""Noise drawn several times for one sum, or split among several parts of it.

Once for each of k micro-batches (or workers) gives sqrt(k) times the standard deviation: less accurate, and safe
where k does not depend on who was drawn (an empty batch would get no noise at all).
1 / sqrt(k) is a share for each of k workers, or a clip norm C / sqrt(L) for each of L parameters in the place of C.
"""

from __future__ import annotations

import math

from refdp.crosscheck.training import noise_scales
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView

STAGE = "noise"
ESTIMATES = True
MOST, MOST_AT_ONCE = 64, 3


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """The k, from 2 to 64, where the measured scale leaves no more than three to choose from."""
    measured = noise_scales.wrong_scale(stage)
    if measured is None:
        return None
    scale, low, high = measured
    more = scale > 1.0
    fitting = [k for k in range(2, MOST + 1) if low <= (k**0.5 if more else k**-0.5) <= high]
    if not 0 < len(fitting) <= MOST_AT_ONCE:
        return None
    errors = {k: abs(math.log(scale) - (0.5 if more else -0.5) * math.log(k)) for k in fitting}
    k = min(fitting, key=lambda each: errors[each])
    others = "".join(f" (or {other})" for other in fitting if other != k)
    evidence = f"measured {scale:.5g} ({low:.5g} to {high:.5g})"
    if more:
        text = (
            f"sqrt({k}) = {k**0.5:.5g} times the noise{others}: drawn once for each of {k} micro-batches: safe "
            f"if their number does not depend on the records drawn; {evidence}"
        )
        return Cause("noise-per-micro-batch", text, None, errors[k])
    tensors = len(stage.figures.get("by_parameter", ()))
    layers = f"; there are {tensors} parameters, and C / sqrt({k}) is one's share" if k == tensors else ""
    text = (
        f"1 / sqrt({k}) = {k**-0.5:.5g} times the noise{others}: the share of one of {k}{layers}; {evidence}"
    )
    return Cause("noise-shared-out", text, False, errors[k])
