"""Each record falls into one of ``bins`` steps an epoch, uniformly, independently, afresh each epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refdp.accounting.kernels import BallsAndBins, Kernel, Unsampled
from refdp.accounting.neighboring import REPLACE_ONE, sensitivity_factor
from refdp.accounting.schemes.base import Neighbours, Scheme, refuse_groups

if TYPE_CHECKING:
    from refdp.accounting.sampling import Sampling


def _kernel(sampling: Sampling, neighbours: Neighbours) -> Kernel:
    """Replace-one: one unsampled step an epoch (joint convexity over bins); nothing better is proven here."""
    refuse_groups("balls-and-bins", neighbours)
    bins = int(sampling.bins or 0)
    if bins == 1:
        return Unsampled(sensitivity_factor(neighbours.relation), neighbours.attained)
    if neighbours.relation == REPLACE_ONE:
        return Unsampled(2.0, attained=False)
    return BallsAndBins(bins, neighbours.attained)


SCHEME = Scheme(
    "balls-and-bins", ("bins", "epochs"), _kernel, lambda sampling: sampling.epochs == 0, by_epoch=True
)
