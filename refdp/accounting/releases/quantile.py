"""A noisy count of clipped (or of unclipped) records, for a clip norm that follows a quantile.

Andrew, Thakkar, McMahan, Ramaswamy 2021 (arXiv 1905.03871), Theorem 1: released with the gradient of the same step
and so on the same batch, the two are one Gaussian release, of noise multiplier
    (z^-2 + (sensitivity / count_noise)^2)^(-1/2).
Charging them apart would count one draw of the batch as two independent ones, which under-reports. So the gradient's
noise multiplier is a field of this event. A count that is released alone says so: ``"batch": "own"`` where it drew
records of its own (under full-batch sampling there is nothing to draw).

The centred count sum(b - 1/2) moves by 1/2 when a record comes or goes, provided that absent, null and NaN records
contribute 0 to it, and by 1 when one is replaced; L of them, one a layer, by sqrt(L) / 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from refdp.accounting import _checks
from refdp.accounting.charges import Charge
from refdp.accounting.errors import AccountingError
from refdp.accounting.kernels import Kernel
from refdp.accounting.neighboring import ADD_REMOVE, REPLACE_ONE
from refdp.accounting.releases.base import Release, joined
from refdp.accounting.schemes import Neighbours


@dataclass(frozen=True)
class QuantileEvent(Release):
    """A count, with the gradient of the same step where ``noise`` is given.

    Attributes:
        count_noise: standard deviation of the noise on the count, >= 0.
        sensitivity: L2 norm of one record's contribution to the count(s), >= 0.5.
        batch: "own" where no gradient was released on the same batch; else None.
    """

    count_noise: float = 0.0
    sensitivity: float = 0.5
    batch: str | None = None

    mechanism: ClassVar[str] = "quantile"
    fields: ClassVar[tuple[str, ...]] = ("count_noise", "sensitivity", "batch")
    required: ClassVar[tuple[str, ...]] = ("count_noise",)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "count_noise", _checks.non_negative("count_noise", self.count_noise))
        object.__setattr__(self, "sensitivity", _checks.positive("sensitivity", self.sensitivity))
        if self.sensitivity < 0.5:
            raise AccountingError(
                f"sensitivity = {self.sensitivity!r}: must be >= 0.5, the least a centred count can move by"
            )
        check_batch(self, self.batch)

    def kernel(self, neighboring: str, group_size: int = 1) -> Kernel:
        """A sensitivity that is not 1/2 may not be attained by a replacement."""
        attained = neighboring != REPLACE_ONE or self.sensitivity == 0.5
        return self.sampling.kernel(Neighbours(neighboring, group_size, attained))

    def charges(self, neighboring: str = ADD_REMOVE, group_size: int = 1) -> list[Charge]:
        """One Gaussian release a step."""
        return [
            joined(c, self.sensitivity, self.count_noise) for c in super().charges(neighboring, group_size)
        ]


def check_batch(event: Release, batch: str | None) -> None:
    """Refuse a count beside which it is not said whether a gradient was released."""
    if batch not in (None, "own"):
        raise AccountingError(f"{event.mechanism} event: batch = {batch!r}: must be own, or left out")
    if event.noise is not None and batch is not None:
        raise AccountingError(f"{event.mechanism} event: give either the gradient's noise or 'batch': 'own'")
    if event.noise is None and batch is None and event.sampling.scheme != "full-batch":
        raise AccountingError(
            f"{event.mechanism} event: give the noise_multiplier or schedule of the gradient released on the same "
            "batch (they are one release), or 'batch': 'own' if it drew records of its own"
        )
