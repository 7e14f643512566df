"""Gradients of another moment: at the weights of the step before or after, or added to those of the step before."""

from __future__ import annotations

from refdp.crosscheck.training import fits
from refdp.crosscheck.training.result import Cause, Stage
from refdp.crosscheck.training.view import StepView, double, inputs, per_sample_gradients

STAGE = "gradients"


def explain(view: StepView, stage: Stage, tolerance: float) -> Cause | None:
    """Recomputed at the neighbouring weights; and the sum with the rows of the step before."""
    step, network = view.step, view.network
    if (
        not fits.differs(stage)
        or network is None
        or step.x is None
        or step.y is None
        or view.reference is None
    ):
        return None
    found, causes = double(step.grad_sample), []
    before = view.earlier[-1] if view.earlier else None
    others = {"before this step's": before.params if before else {}, "after the step": step.params_after}
    for when, params in others.items():
        if params:
            x = inputs(network, step.x, view.meta)
            error = fits.misfit(found, per_sample_gradients(network, params, x, step.y))
            text = f"gradients at the weights {when}, to {error:.1e}: gradients and weights are of different steps"
            causes.append(Cause("stale-weights", text, True, error))
    if before and before.grad_sample and before.batch_size == step.batch_size:
        error = fits.misfit(found, fits.added(view.reference, double(before.grad_sample)))
        text = f"the rows of the step before are added to this step's, to {error:.1e}: clear them after each step"
        causes.append(Cause("gradients-not-cleared", text, False, error))
    return fits.best(causes, tolerance)
