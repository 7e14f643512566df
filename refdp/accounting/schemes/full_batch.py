"""Every record takes part in every step: the exact Gaussian mechanism."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refdp.accounting.kernels import Kernel, Unsampled
from refdp.accounting.neighboring import sensitivity_factor
from refdp.accounting.schemes.base import Neighbours, Scheme

if TYPE_CHECKING:
    from refdp.accounting.sampling import Sampling


def _kernel(sampling: Sampling, neighbours: Neighbours) -> Kernel:
    distance = neighbours.group_size * sensitivity_factor(neighbours.relation)
    return Unsampled(distance, neighbours.attained)


SCHEME = Scheme("full-batch", (), _kernel, lambda sampling: False)
