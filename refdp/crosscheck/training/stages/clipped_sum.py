"""The sum of clipped gradients as recorded, beside Σ min(1, C / n_b) g_b."""

from __future__ import annotations

import numpy as np

from refdp.crosscheck.training import kinks
from refdp.crosscheck.training.result import AGREES, DIFFERS, MISSING, Stage, differences
from refdp.crosscheck.training.view import Arrays, StepView, double

NAME = "clipped sum"
LARGEST_ROOM = 0.01
"""Of the sum: what rounding may move it by, where gradients were not recorded, for it to be judged all the same."""


def judge(view: StepView, tolerance: float) -> Stage:
    """Every parameter's [*shape], within ``tolerance`` relative; where gradients were not recorded, and rounding
    decides some (``kinks``), within what those can move the sum by."""
    if not view.step.clipped_sum:
        return Stage(NAME, MISSING, "clipped_sum was not recorded")
    if view.clipped_sum is None:
        known = view.step.clip_norm is not None
        why = "neither gradients nor the model are known" if known else "clip_norm was not recorded"
        return Stage(NAME, MISSING, f"nothing to hold clipped_sum against: {why}")
    found = differences(dict(view.step.clipped_sum), view.clipped_sum)
    source = "the recorded gradients" if view.step.grad_sample else "refdp's gradients"
    against = f"{source}, clipped and added up in float64"
    if all(d.relative <= tolerance for d in found):
        return Stage(NAME, AGREES, against, found)
    if not view.step.grad_sample:
        moved, room = movable(view, tolerance)
        gap = _length(double(view.step.clipped_sum), view.clipped_sum)
        if moved > 0 and gap <= room:
            share = room / _length(view.clipped_sum)
            if share <= LARGEST_ROOM:
                return Stage(NAME, AGREES, against, found, figures={"decided_by_rounding": moved})
            why = f"rounding decides {moved} of its gradients, which can move it by {share:.1%}; record grad_sample"
            return Stage(NAME, MISSING, why)
    return Stage(NAME, DIFFERS, against, found)


def movable(view: StepView, tolerance: float) -> tuple[int, float]:
    """(how many samples rounding decides, how far they can move the clipped sum)."""
    assert view.scales is not None
    assert view.norms is not None
    moved = kinks.moves(view, np.arange(len(view.norms)))
    decided = moved > max(tolerance, kinks.JUMP)
    return int(decided.sum()), float((kinks.ROOM * moved * view.scales * view.norms)[decided].sum())


def _length(first: Arrays, second: Arrays | None = None) -> float:
    """|first - second|, or |first|."""
    with np.errstate(all="ignore"):
        gaps = (values if second is None else values - second[name] for name, values in first.items())
        return float(np.sqrt(sum(np.square(gap).sum() for gap in gaps)))
