"""Banded matrix-factorisation noise.

Choquette-Choo et al. 2023 (arXiv 2306.08153), Theorem 4: gradients x are released as A (x + C^-1 z), C lower
triangular with b bands and columns of norm at most 1 (the noise multiplier is for that norm). Records are split
into b groups, independently of the data, step t draws from group t mod b by Poisson sampling of ``rate`` within the
group, so a record's participations are at least b steps apart, their columns do not overlap, and T steps cost what
ceil(T / b) Poisson steps of that rate do. b = 1 is DP-SGD.

G1. An upper bound only: whether columns of norm exactly 1 attain it is not recorded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from refdp.accounting import _checks
from refdp.accounting.errors import UnsupportedEventError
from refdp.accounting.kernels import Kernel
from refdp.accounting.neighboring import REPLACE_ONE
from refdp.accounting.releases.base import Release
from refdp.accounting.schedules import Schedule
from refdp.accounting.schemes import Neighbours


@dataclass(frozen=True)
class BandMFEvent(Release):
    """``count`` steps of ``bands``-banded noise; ``sampling`` is Poisson within a record's group."""

    bands: int = 0

    mechanism: ClassVar[str] = "band-mf"
    fields: ClassVar[tuple[str, ...]] = ("bands",)
    required: ClassVar[tuple[str, ...]] = ("noise_multiplier", "bands")

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.noise, Schedule):
            raise UnsupportedEventError(
                "band-mf event: a schedule is not supported; give one noise_multiplier"
            )
        object.__setattr__(self, "bands", _checks.whole("bands", self.bands, minimum=1))
        if self.sampling.scheme != "poisson":
            raise UnsupportedEventError(
                f"band-mf event under sampling {self.sampling.scheme}: only poisson within groups is supported"
            )

    def kernel(self, neighboring: str, group_size: int = 1) -> Kernel:
        """A Poisson step, not known to be attained."""
        if neighboring == REPLACE_ONE or group_size > 1:
            raise UnsupportedEventError(
                "band-mf event: proven for one record under add-remove or zero-out only; use one of these"
            )
        return self.sampling.kernel(Neighbours(neighboring, 1, attained=False))

    def multipliers(self) -> tuple[np.ndarray, np.ndarray]:
        """ceil(count / bands) steps of the one noise multiplier."""
        values, _ = super().multipliers()
        return values, np.array([float(-(-self.count // self.bands))])
