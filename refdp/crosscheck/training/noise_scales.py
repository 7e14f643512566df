"""Known factors of the noise's standard deviation, beside the measured one."""

from __future__ import annotations

import math
from collections.abc import Mapping

from refdp.crosscheck.training.fits import differs
from refdp.crosscheck.training.result import Cause, Stage

Candidates = Mapping[str, tuple[float, str, bool | None]]
"""id -> (factor, what was done, safe)."""


def wrong_scale(stage: Stage) -> tuple[float, float, float] | None:
    """(scale, low, high) where the noise's scale as a whole is what differs.

    The interval recorded is 99 %; squared about the scale it is twice as wide, some 5 standard deviations each side.
    """
    scale, interval = stage.figures.get("scale"), stage.figures.get("scale_interval")
    if not differs(stage) or scale is None or interval is None or scale <= 0:
        return None
    failed = stage.figures.get("failed", ("scale",))
    if "scale" not in failed or {"distribution", "known directions"} & set(failed):
        return None  # of another law, or with something else in the sum: its scale is no factor
    low, high = interval[0] * interval[0] / scale, interval[1] * interval[1] / scale
    return None if low <= 1.0 <= high else (scale, low, high)


def closest(stage: Stage, candidates: Candidates) -> Cause | None:
    """The closest of the candidates that the interval holds; None where it holds 1, or none of them."""
    measured = wrong_scale(stage)
    if measured is None:
        return None
    scale, low, high = measured
    causes = []
    for id_, (factor, text, safe) in candidates.items():
        if 0.0 < factor < math.inf and low <= factor <= high:
            evidence = (
                f"{text}: standard deviation {factor:.5g} times noise_multiplier * clip_norm; "
                f"measured {scale:.5g} ({low:.5g} to {high:.5g})"
            )
            causes.append(Cause(id_, evidence, safe, abs(math.log(scale / factor))))
    return min(causes, key=lambda cause: cause.error, default=None)
