"""Each record takes part in each step independently, with probability ``rate``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refdp.accounting.errors import UnsupportedEventError
from refdp.accounting.kernels import Kernel, Poisson, PoissonGroup, PoissonReplace, Unsampled
from refdp.accounting.neighboring import REPLACE_ONE, sensitivity_factor
from refdp.accounting.schemes.base import Neighbours, Scheme

if TYPE_CHECKING:
    from refdp.accounting.sampling import Sampling


def _kernel(sampling: Sampling, neighbours: Neighbours) -> Kernel:
    rate = float(sampling.rate or 0.0)
    size = neighbours.group_size
    if rate == 1:
        return Unsampled(size * sensitivity_factor(neighbours.relation), neighbours.attained)
    if neighbours.relation == REPLACE_ONE:
        if size > 1:
            raise UnsupportedEventError(
                f"sampling poisson with neighboring replace-one and group_size = {size}: no pair is proven "
                "to dominate; use add-remove or zero-out"
            )
        return PoissonReplace(rate, neighbours.attained)
    return Poisson(rate, neighbours.attained) if size == 1 else PoissonGroup(rate, size, neighbours.attained)


SCHEME = Scheme("poisson", ("rate",), _kernel, lambda sampling: sampling.rate == 0)
