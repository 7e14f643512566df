"""Noise of the right size for a mean on a sum, or the other way round.

Of a mean over B records the standard deviation is noise_multiplier * clip_norm / B; on the sum that is B times too
little, and the step is practically not private.
"""

from __future__ import annotations

from refdp.crosscheck.training import fits, noise_scales
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView

STAGE = "noise"


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """A factor of B, its root, or of realised and expected batch size."""
    candidates: dict[str, tuple[float, str, bool | None]] = {}
    causes = []
    # with one record more the realised size is another: then the noise's own scale tells of it
    for size, words in fits.sizes_of_batch(view).items():
        candidates = {
            "noise-on-the-mean": (
                1 / size,
                f"divided by {size:g}, {words}: a mean's noise on the sum",
                False,
            ),
            "noise-times-batch": (
                size,
                f"multiplied by {size:g}, {words}: added before a division undone here",
                None if "in this batch" in words else True,
            ),
            "noise-per-sample": (size**0.5, f"added to each of {size:g} records' gradients ({words})", None),
            "noise-root-batch": (size**-0.5, f"divided by the root of {size:g}, {words}", False),
        }
        causes.append(noise_scales.closest(stage, candidates))
    realised, expected = view.step.batch_size, view.step.expected_batch_size or view.step.divisor
    if realised and expected and realised != expected:
        for share, words in (
            (realised / expected, "realised over expected"),
            (expected / realised, "expected over realised"),
        ):
            text = f"multiplied by {words} batch size"
            causes.append(
                noise_scales.closest(
                    stage, {"noise-by-realised-size": (share, text, None if share >= 1 else False)}
                )
            )
    return min((c for c in causes if c is not None), key=lambda cause: cause.error, default=None)
