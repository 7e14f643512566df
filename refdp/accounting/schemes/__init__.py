"""How the records of a step are chosen, one scheme a file."""

from __future__ import annotations

from refdp.accounting.schemes import (
    balls_and_bins,
    fixed_order,
    full_batch,
    poisson,
    shuffle,
    truncated_poisson,
    without_replacement,
)
from refdp.accounting.schemes.base import Neighbours, Scheme

_MODULES = (
    poisson,
    full_batch,
    shuffle,
    fixed_order,
    without_replacement,
    truncated_poisson,
    balls_and_bins,
)

SCHEME_BY_NAME: dict[str, Scheme] = {module.SCHEME.name: module.SCHEME for module in _MODULES}

__all__ = ["SCHEME_BY_NAME", "Neighbours", "Scheme"]
