"""ReduceLROnPlateau in a private form: the accuracy is a noised count over the training records, which is charged.

Every decision that data makes is a release. Here, each ``every`` steps, over all n training records,

    sum (1[predicted right] - 1/2) + N(0, count_noise^2)

is released and divided by n. It is centred, so that a record moves it by 1/2 when it comes or goes; the ledger has it
as a Gaussian release on the full batch. Counting the training records needs no held-out ones, whose counts would have
to be charged just the same and are fewer: noise that hides one record among 60,000 is none to speak of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from refdp.optimizers import lr_schedules
from refdp.optimizers.lr.plateau_rule import Plateau

LEAST_NOISE = 10.0


@lr_schedules.register("plateau")
@dataclass(frozen=True)
class PrivatePlateau(Plateau):
    """``count_noise``: standard deviation of the noise on the count; max(n / 200, 10) by default."""

    count_noise: float | None = field(default=None, kw_only=True)
    ranges: ClassVar[Mapping[str, tuple[float, float]]] = {**Plateau.ranges, "count_noise": (1e-30, 1e30)}

    def count_noise_std(self, records: int) -> float:
        """Of the noise on a count over that many records."""
        return max(records / 200, LEAST_NOISE) if self.count_noise is None else self.count_noise
