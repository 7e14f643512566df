"""Gaussian noise on counts: a histogram of records, or a validation count.

A record adds at most ``sensitivity`` (L2) to the counts, none of them negative: 1 where it falls into one bin. Adding,
removing or zeroing it moves them by that; replacing it by sqrt(2) times that (two non-negative vectors), or by 1
times where there is one bin only. A validation count is a histogram of one bin over the validation records, every
step a full batch of them; a record is in one of the two sets, and charging both to it is an upper bound.

Released with the gradient of the same step, the two are one Gaussian release (see ``quantile``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

from refdp.accounting import _checks
from refdp.accounting.charges import Charge
from refdp.accounting.kernels import Kernel, PoissonReplace, TruncatedPoisson
from refdp.accounting.neighboring import ADD_REMOVE, REPLACE_ONE
from refdp.accounting.releases.base import Release, joined
from refdp.accounting.releases.quantile import check_batch
from refdp.accounting.schemes import Neighbours

_BY_NORMS = (PoissonReplace, TruncatedPoisson)


@dataclass(frozen=True)
class HistogramEvent(Release):
    """Noisy counts, with the gradient of the same step where ``noise`` is given.

    Attributes:
        count_noise: standard deviation of the noise on each count, >= 0.
        sensitivity: L2 norm of what one record adds to the counts, > 0.
        bins: how many counts there are, where that is known: one count moves by 1 on a replacement, not sqrt(2).
        batch: "own" where no gradient was released on the same batch; else None.
    """

    count_noise: float = 0.0
    sensitivity: float = 1.0
    bins: int | None = None
    batch: str | None = None

    mechanism: ClassVar[str] = "histogram"
    fields: ClassVar[tuple[str, ...]] = ("count_noise", "sensitivity", "bins", "batch")
    required: ClassVar[tuple[str, ...]] = ("count_noise",)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "count_noise", _checks.non_negative("count_noise", self.count_noise))
        object.__setattr__(self, "sensitivity", _checks.positive("sensitivity", self.sensitivity))
        if self.bins is not None:
            object.__setattr__(self, "bins", _checks.whole("bins", self.bins, minimum=1))
        check_batch(self, self.batch)

    def kernel(self, neighboring: str, group_size: int = 1) -> Kernel:
        """Pairs about two contributions' norms are not attained: no record and replacement here are antipodal."""
        attained = neighboring != REPLACE_ONE or self.bins is not None
        kernel = self.sampling.kernel(Neighbours(neighboring, group_size, attained))
        if neighboring == REPLACE_ONE and isinstance(kernel, _BY_NORMS):
            return replace(kernel, attained=False)
        return kernel

    def charges(self, neighboring: str = ADD_REMOVE, group_size: int = 1) -> list[Charge]:
        """One Gaussian release a step.

        A contribution's norm is ``sensitivity``. Where what counts under replace-one is how far apart two
        contributions are (distance 2 in the kernel), the counts' are sqrt(2) or 1 times that: half of it goes in.
        """
        charges = []
        for charge in super().charges(neighboring, group_size):
            reach = self.sensitivity
            if neighboring == REPLACE_ONE and not isinstance(charge.kernel, _BY_NORMS):
                reach *= 0.5 if self.bins == 1 else math.sqrt(0.5) * (1 + 2.0**-50)
            charges.append(joined(charge, reach, self.count_noise))
        return charges
