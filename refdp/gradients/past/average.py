"""Per-sample momentum: a record's gradients at the last weights, averaged before clipping (DP-PSASC, arXiv 2411.03059).

m_i = sum_{k < K} w_k grad loss_i(theta_{t-k}), w_k in proportion to decay^k

All of it is of this record at weights that were released, and the clipping rule comes after, so K still bounds it and
epsilon is that of plain DP-SGD. It costs ``memory`` gradients a record. (Momentum of sums that are not noised yet would
carry records of earlier batches along, and is no mechanism of this package. Momentum of released gradients is
``--optimizer ema-momentum``.)

The recursion of the paper could not be compared with; equal or geometric weights are this package's reading of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from refdp.errors import RefDPError
from refdp.gradients import iterates
from refdp.gradients.base import MOST_ITERATES, Iterates
from refdp.validate import in_range, whole


@iterates.register("average")
@dataclass(frozen=True)
class Average(Iterates):
    """``memory`` weights, today's included; ``decay`` in [0.01, 1], 1 for equal weights."""

    memory: int
    decay: float = 1.0

    def __post_init__(self) -> None:
        whole(1, memory=self.memory)
        if self.memory > MOST_ITERATES:
            raise RefDPError(f"memory = {self.memory}: must be <= {MOST_ITERATES}")
        in_range(0.01, 1.0, decay=self.decay)

    def weights(self, available: int) -> list[float]:
        """decay^k, divided by their sum."""
        raw = [self.decay**k for k in range(available)]
        return [value / sum(raw) for value in raw]
