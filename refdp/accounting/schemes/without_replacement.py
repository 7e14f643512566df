"""A fresh batch of exactly ``batch_size`` of ``dataset_size`` records each step, uniformly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refdp.accounting.errors import AccountingError, UnsupportedEventError
from refdp.accounting.kernels import Kernel, Unsampled, WithoutReplacement
from refdp.accounting.neighboring import REPLACE_ONE
from refdp.accounting.schemes.base import Neighbours, Scheme, refuse_groups

if TYPE_CHECKING:
    from refdp.accounting.sampling import Sampling

_REFUSALS = {
    "add-remove": "removing a record changes the data set's size, which is public, and another record takes the "
    "freed place",
    "zero-out": "another record takes the freed place, so the Poisson pair does not dominate: at multiplier 1, rate "
    ".1, epsilon 1 it under-reports delta 37 times",
}


def _sizes(sampling: Sampling) -> tuple[int, int]:
    return int(sampling.batch_size or 0), int(sampling.dataset_size or 0)


def _kernel(sampling: Sampling, neighbours: Neighbours) -> Kernel:
    batch, records = _sizes(sampling)
    if neighbours.relation != REPLACE_ONE:
        raise UnsupportedEventError(
            f"sampling without-replacement with neighboring {neighbours.relation} is not supported: "
            f"{_REFUSALS[neighbours.relation]}; use replace-one"
        )
    refuse_groups("without-replacement", neighbours)
    if batch == records:
        return Unsampled(2.0, neighbours.attained)
    return WithoutReplacement(batch / records, neighbours.attained)


def _check(sampling: Sampling) -> None:
    batch, records = _sizes(sampling)
    if batch > records:
        raise AccountingError(f"sampling batch_size = {batch}: must not exceed dataset_size = {records}")


SCHEME = Scheme(
    "without-replacement",
    ("dataset_size", "batch_size"),
    _kernel,
    lambda sampling: sampling.batch_size == 0,
    _check,
)
