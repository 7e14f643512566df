"""Per-sample gradient norms as recorded, beside those of the gradients."""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import kinks
from refdp.crosscheck.training.result import AGREES, DIFFERS, MISSING, Difference, Stage
from refdp.crosscheck.training.view import StepView

NAME = "norms"


def judge(view: StepView, tolerance: float) -> Stage:
    """Every norm [B] within ``tolerance``, relative to itself, or to the smaller of the clip norm and the middle norm
    where it is below that: how far it is from the clip norm is what counts."""
    if view.step.norms is None:
        return Stage(NAME, MISSING, "norms were not recorded")
    if view.norms is None:
        return Stage(
            NAME, MISSING, "nothing to hold norms against: neither gradients nor the model are known"
        )
    found, expected = view.step.norms.astype(np.float64), view.norms
    relative = _relative(found, expected, view.step.clip_norm)
    both = float(np.linalg.norm(found) * np.linalg.norm(expected))
    cosine = float(found @ expected / both) if 0 < both < np.inf else None
    with np.errstate(invalid="ignore"):
        gap = np.where(found == expected, 0.0, np.abs(found - expected))
    absolute = float(
        np.where(np.isnan(gap), np.where(np.isnan(found) & np.isnan(expected), 0.0, np.inf), gap).max(
            initial=0.0
        )
    )
    figures = {}
    if (
        relative.max(initial=0.0) > tolerance and not view.step.grad_sample
    ):  # a gradient that rounding decides
        left_out = kinks.undecided(view, relative, tolerance)
        relative, figures = relative[~left_out], {"decided_by_rounding": int(left_out.sum())}
    worst = float(relative.max(initial=0.0))
    source = "the recorded gradients" if view.step.grad_sample else "refdp's gradients"
    status = AGREES if worst <= tolerance else DIFFERS
    return Stage(
        NAME, status, f"norms of {source}", (Difference("norms", absolute, worst, cosine),), figures=figures
    )


def _relative(found: np.ndarray, expected: np.ndarray, clip_norm: float | None) -> np.ndarray:
    """|found - expected| over the larger of the norm and the floor [B]; inf where one of the two is no number."""
    finite = np.isfinite(expected)
    floor = float(np.median(expected[finite])) if finite.any() else 0.0
    floor = floor if clip_norm is None else min(floor, clip_norm)
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = np.abs(found - expected) / np.maximum(np.abs(expected), floor)
    same = (found == expected) | (~finite & ~np.isfinite(found))
    return np.where(same, 0.0, np.where(np.isnan(relative), np.inf, relative))
