"""Poisson sampling whose batches are cut to ``max_batch_size`` by drawing a uniform subset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refdp.accounting.kernels import Kernel, TruncatedPoisson, WithoutReplacement
from refdp.accounting.neighboring import ADD_REMOVE, REPLACE_ONE
from refdp.accounting.schemes.base import Neighbours, Scheme, refuse_groups
from refdp.accounting.schemes.poisson import SCHEME as POISSON

if TYPE_CHECKING:
    from refdp.accounting.sampling import Sampling


def _kernel(sampling: Sampling, neighbours: Neighbours) -> Kernel:
    refuse_groups("truncated-poisson", neighbours)
    records, cap = int(sampling.dataset_size or 0), int(sampling.max_batch_size or 0)
    most = records + 1 if neighbours.relation == ADD_REMOVE else records
    if cap >= most:  # nothing is ever cut
        return POISSON.kernel(sampling, neighbours)
    rate = float(sampling.rate or 0.0)
    if rate == 1 and neighbours.relation == REPLACE_ONE:  # every batch is cut
        return WithoutReplacement(cap / records, neighbours.attained)
    return TruncatedPoisson(rate, records, cap, neighbours.relation, neighbours.attained)


SCHEME = Scheme(
    "truncated-poisson",
    ("rate", "dataset_size", "max_batch_size"),
    _kernel,
    lambda sampling: sampling.rate == 0 or sampling.max_batch_size == 0,
)
