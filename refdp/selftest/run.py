"""All checks, in their order."""

from __future__ import annotations

from collections.abc import Iterator

from threadpoolctl import threadpool_limits

from refdp.backend import Backend
from refdp.selftest import accountant, clipping, layers, networks, noise, training
from refdp.selftest.case import Case, Check

PARTS = (layers, networks, clipping, noise, training, accountant)


def all_cases(backend: Backend, seed: int) -> list[Case]:
    """Every case, none of them made yet. The seed chooses the random inputs."""
    return [case for part in PARTS for case in part.cases(backend, seed)]


def run_checks(backend: Backend, seed: int) -> Iterator[Check]:
    """Make each, as ``train`` computes: with one BLAS thread."""
    for case in all_cases(backend, seed):
        with threadpool_limits(1, user_api="blas"):
            check = case.run()
        yield check
