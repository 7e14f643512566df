"""Shared by the schemes in which each record takes part once an epoch."""

from __future__ import annotations

from refdp.accounting.errors import UnsupportedEventError
from refdp.accounting.kernels import Kernel, Unsampled
from refdp.accounting.neighboring import ADD_REMOVE, sensitivity_factor
from refdp.accounting.schemes.base import Neighbours


def unamplified(scheme: str, neighbours: Neighbours, *, attained: bool) -> Kernel:
    """One full Gaussian step an epoch; k records of a person move one step by k times as much, at worst."""
    if neighbours.relation == ADD_REMOVE:
        raise UnsupportedEventError(
            f"sampling {scheme} with neighboring add-remove is ill-posed (removing a record shifts the "
            "batches after it); use zero-out or replace-one"
        )
    size = neighbours.group_size
    distance = size * sensitivity_factor(neighbours.relation)
    return Unsampled(distance, attained and neighbours.attained and size == 1)
