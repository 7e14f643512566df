"""A whole run taken again by refdp: from the first weights, on the recorded batches, with the recorded noise.

Stages are judged one by one, each from what was recorded before it. Here nothing recorded is used again but batches and
noise, so that small differences add up as they would in two runs; with the first step at which weights part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from refdp.crosscheck.training import kinks
from refdp.crosscheck.training.check import next_velocity
from refdp.crosscheck.training.result import differences
from refdp.crosscheck.training.stages.update import moved_by
from refdp.crosscheck.training.view import Arrays, StepView, double
from refdp.models import Network
from refdp.traces import Trace, TracedStep

EVERY_WEIGHT = 1e-5
LIKE = 2e-5
"""Gradients nearer than this, relative, are the same: the two runs' weights differ by rounding."""


@dataclass(frozen=True)
class Rerun:
    """Weights after each step beside refdp's own.

    Attributes:
        apart: by step, the largest |difference| / max(|weight|, root mean square of its tensor's weights).
        stopped: why later steps could not be taken again, or None.
        tolerance: what ``parted`` holds ``apart`` against.
    """

    apart: tuple[float, ...]
    stopped: str | None
    tolerance: float = EVERY_WEIGHT

    @property
    def parted(self) -> int | None:
        """The first step after which a weight is further off than ``tolerance``."""
        return next((number for number, value in enumerate(self.apart) if not value <= self.tolerance), None)


def rerun(trace: Trace, network: Network, tolerance: float | None = None) -> Rerun:
    """Take every step again, in float64.

    Each step: gradients at refdp's own weights, clipped and added up by refdp; plus the recorded noise, which is the
    recorded noised sum less the recorded clipped sum; divided, and taken as a step, by refdp. Of a sample whose
    gradient rounding decides the recorded one is taken.

    Args:
        tolerance: of every weight; EVERY_WEIGHT for up to ten steps, and in proportion for more, where None.
    """
    if tolerance is None:  # roundings add up
        tolerance = EVERY_WEIGHT * max(1.0, len(trace.steps) / 10)
    apart: list[float] = []
    params = double(trace.steps[0].params)
    velocity: Arrays | None = {name: np.zeros(values.shape) for name, values in params.items()}
    if trace.steps[0].momentum and trace.steps[0].step != 0:
        return Rerun((), "the run's first step was not recorded, and momentum remembers it", tolerance)
    for number, recorded in enumerate(trace.steps):
        lacking = _lacking(recorded)
        if lacking is not None:
            return Rerun(tuple(apart), f"step {number}: {lacking}", tolerance)
        own = _own(recorded, network, trace.meta, params)
        if own is None:
            why = "rounding decides some gradients, and which way they went was not recorded (grad_sample)"
            return Rerun(tuple(apart), f"step {number}: {why}", tolerance)
        view = StepView(own, network, trace.meta, velocity)
        moved = moved_by(view)
        if moved is None:
            return Rerun(tuple(apart), f"step {number}: divisor or learning_rate was not recorded", tolerance)
        params = {name: values + moved[name] for name, values in params.items()}
        velocity = next_velocity(view)
        apart.append(_apart(recorded.params_after, params))
    return Rerun(tuple(apart), None, tolerance)


def _lacking(recorded: TracedStep) -> str | None:
    """What a step cannot be taken again without."""
    if recorded.x is None or recorded.y is None or recorded.clip_norm is None or not recorded.params_after:
        return "x, y, clip_norm or param_after was not recorded"
    if not recorded.clipped_sum or not recorded.noised_sum:
        return "clipped_sum and noised_sum, whose difference is the noise, were not recorded"
    if any(len(recorded.draws(name)) != 1 for name in recorded.noised_sum):
        return "several draws of the noise were recorded, and not which of them was taken"
    return None


def _own(
    recorded: TracedStep, network: Network, meta: Mapping[str, Any], params: Arrays
) -> TracedStep | None:
    """The step from refdp's weights, its noised sum made of refdp's clipped sum and the recorded noise.

    Of samples that rounding decides (``kinks``) the recorded gradients are taken; None where there are none recorded.
    """
    noise = StepView(recorded).noise
    fresh = replace(recorded, params=params, grad_sample={}, clipped_sum={}, noised_sum={})
    view = StepView(fresh, network, meta)
    assert noise is not None
    assert view.reference is not None
    total = view.clipped_sum
    assert total is not None
    if recorded.grad_sample:
        seen = double(recorded.grad_sample)
        taken = kinks.undecided(view, kinks.gaps(seen, view.reference), LIKE)
        if taken.any():
            rows = {name: values.copy() for name, values in view.reference.items()}
            for name, values in rows.items():
                values[taken] = seen[name][taken]
            total = StepView(replace(fresh, grad_sample=rows)).clipped_sum
            assert total is not None
    elif _far(recorded.clipped_sum, total) and (_moves(view) > LIKE).any():
        return None
    return replace(fresh, noised_sum={name: total[name] + noise[name][0] for name in total})


def _far(recorded: Mapping[str, np.ndarray], total: Arrays) -> bool:
    return any(d.relative > LIKE for d in differences(dict(recorded), total))


def _moves(view: StepView) -> np.ndarray:
    assert view.norms is not None
    return kinks.moves(view, np.arange(len(view.norms)))


def _apart(found: Mapping[str, np.ndarray], expected: Arrays) -> float:
    worst = 0.0
    for name, values in expected.items():
        typical = float(np.sqrt(np.square(values).mean())) if values.size else 0.0
        gap = np.abs(np.asarray(found[name], dtype=np.float64) - values)
        scale = np.maximum(np.abs(values), typical)
        worst = max(
            worst,
            float(
                np.max(
                    np.divide(gap, scale, out=np.where(gap > 0, np.inf, 0.0), where=scale > 0), initial=0.0
                )
            ),
        )
    return worst
