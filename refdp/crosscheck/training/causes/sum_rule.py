"""Another clipping rule: each registered one at its defaults."""

from __future__ import annotations

import numpy as np

from refdp.clippers import AdaptiveClipper, ClipContext, Clipper, clippers
from refdp.crosscheck.training import fits
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView, double
from refdp.errors import RefDPError

STAGE = "clipped sum"
ELSEWHERE = ("flat", "per-layer")


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """The closest rule; all that give the same sum are named."""
    clip_norm = view.step.clip_norm
    if not fits.differs(stage) or view.gradients is None or clip_norm is None:
        return None
    found, fitting = double(view.step.clipped_sum), []
    for name in clippers.names():
        try:
            rule = clippers.create(name, clip_norm=clip_norm)
        except RefDPError:  # a rule that such a clip norm is out of range for
            continue
        scales = None if name in ELSEWHERE else _scales(rule, view)
        if scales is not None:
            error = fits.misfit(found, fits.sum_by_tensor(view, scales))
            if error <= tolerance:
                fitting.append((error, name, rule))
    if not fitting:
        return None
    error, name, rule = min(fitting, key=lambda each: each[0])
    same = ", ".join(other for _, other, _ in fitting if other != name)
    bound = rule.bound(_context(view, 10))
    text = f"the rule {name}, {rule.equation}, to {error:.1e}{f' (the same as {same})' if same else ''}: K = {bound:g}"
    return Cause(f"rule-{name}", text, bound <= clip_norm * (1 + 1e-9), error)


def _scales(rule: Clipper, view: StepView) -> np.ndarray | None:
    """[B, L] by parameter; None for a rule that takes more than this step's norms."""
    if isinstance(rule, AdaptiveClipper) or view.gradients is None or view.norms is None:
        return None
    norms = fits.tensor_norms(view.gradients) if rule.per_group else view.norms[:, None]
    usable = np.where(np.isfinite(norms), norms, 0.0)
    scales, later = (rule.scales(np, usable, _context(view, steps)) for steps in (10, 1000))
    if not np.array_equal(scales, later):  # how far the run has come is not recorded
        return None
    return np.broadcast_to(scales, (len(norms), len(view.gradients)))


def _context(view: StepView, steps: int) -> ClipContext:
    assert view.gradients is not None
    sizes = tuple(values[0].size if len(values) else 0 for values in view.gradients.values())
    return ClipContext(step=min(view.step.step or 0, 5), steps=steps, margin=0.0, sizes=sizes)
