"""What a sampling scheme is: its fields in a ledger, and the kind of step it makes under a neighbouring relation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from refdp.accounting.errors import UnsupportedEventError
from refdp.accounting.kernels import Kernel

if TYPE_CHECKING:
    from refdp.accounting.sampling import Sampling


@dataclass(frozen=True)
class Neighbours:
    """Two data sets that must be hard to tell apart.

    Attributes:
        relation: add-remove, zero-out or replace-one.
        group_size: how many records one person may hold; neighbours differ by one person's records.
        attained: whether the mechanism's two contributions can be as far apart as the relation allows.
    """

    relation: str
    group_size: int = 1
    attained: bool = True


def _ignore(sampling: Sampling) -> None:
    """A scheme whose fields need no check beyond their own."""


@dataclass(frozen=True)
class Scheme:
    """One way of choosing a step's records.

    Attributes:
        fields: the fields of a ledger's ``sampling`` object, besides ``scheme``; all are required.
        kernel: the step under a relation; refuses, by name and reason, what has no proven bound.
        is_no_op: whether no record is ever chosen.
        check: refuses field values that do not fit together.
        by_epoch: whether an event of count 1 is ``epochs`` whole passes.
    """

    name: str
    fields: tuple[str, ...]
    kernel: Callable[[Sampling, Neighbours], Kernel]
    is_no_op: Callable[[Sampling], bool]
    check: Callable[[Sampling], None] = _ignore
    by_epoch: bool = False


def refuse_groups(scheme: str, neighbours: Neighbours) -> None:
    """For schemes without a proven bound for a person of several records."""
    if neighbours.group_size > 1:
        raise UnsupportedEventError(
            f"sampling {scheme} with group_size = {neighbours.group_size}: no bound is proven for neighbours of "
            "several records; use group_size 1, or poisson sampling with add-remove or zero-out"
        )
