"""The sample rate of a data loader, 1 / len(loader), is not batch_size / dataset_size.

Opacus takes it for the rate (opacus 813, 814, 815), and its own Poisson loader then really samples so; any other
loader does not.
"""

from __future__ import annotations

from collections.abc import Iterator

from refdp.accounting import GaussianEvent, Ledger, Sampling, epsilon
from refdp.accounting.counting import loader_batches
from refdp.audit.causes.base import Case, Cause, poisson_steps
from refdp.figures import lower_figure, upper_figure

ORDER = 60


def find(case: Case) -> Iterator[Cause]:
    """Where the claim is at one of the two rates and the other tells another story."""
    run, steps = case.claim.run, poisson_steps(case)
    if run is None or steps is None or not steps.constant:
        return
    stated = run.batch_size / run.dataset_size
    loader = 1.0 / loader_batches(run.batch_size, run.dataset_size, run.drop_last)
    if abs(stated - loader) < 1e-9 * stated:
        return
    if abs(steps.sample_rate - loader) < 1e-9 * loader:
        other, name, at = stated, "batch_size / dataset_size", "1 / len(loader)"
    elif abs(steps.sample_rate - stated) < 1e-9 * stated:
        other, name, at = loader, "1 / len(loader)", "batch_size / dataset_size"
    else:
        return
    count = round(run.epochs / other) if other == loader else max(1, int(run.epochs / other))
    bounds = epsilon(
        Ledger(
            case.claim.ledger.neighboring,
            (GaussianEvent(float(steps.multipliers[0]), Sampling("poisson", rate=other), count),),
        ),
        case.claim.delta,
    )
    if bounds.lower is None or bounds.upper is None:
        return
    here = case.accounted.upper is not None and case.accounted.upper <= case.claim.epsilon
    if here == (bounds.upper <= case.claim.epsilon):
        return  # the same answer at both
    says = "holds" if bounds.upper <= case.claim.epsilon else "does not hold"
    yield Cause(
        "rate-from-loader",
        f"accounted at rate {steps.sample_rate:.6g} = {at}; at {name} = {other:.6g} and {count:,} steps epsilon is "
        f"{lower_figure(bounds.lower)} to {upper_figure(bounds.upper)} and the claim {says}. What counts is the rate "
        "the sampler really used: Opacus's own Poisson loader samples at 1 / len(loader).",
    )
