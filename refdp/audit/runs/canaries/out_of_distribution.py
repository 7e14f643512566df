"""Out-of-distribution canaries: records that look like none of the data, with labels drawn at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from refdp.audit.runs.canaries import canaries
from refdp.audit.runs.canaries.base import Canary, Watch
from refdp.data import Dataset, Split
from refdp.validate import one_of

if TYPE_CHECKING:
    from refdp.audit.runs.trainer import AuditTrainer

_SPREAD = 3.0  # standard deviations of a standardised feature


@canaries.register("out-of-distribution")
@dataclass(frozen=True)
class OutOfDistribution(Canary):
    """``pattern``: noise (every pixel or feature by itself) or constant (one value a record)."""

    pattern: str = "noise"
    name: ClassVar[str] = "out-of-distribution"
    statement: ClassVar[str] = "each canary is noise, or one constant, with a label drawn at random"

    def __post_init__(self) -> None:
        one_of(("noise", "constant"), pattern=self.pattern)

    def room(self, coordinates: int, held_out: int) -> int:
        """No end to noise."""
        return 10**6

    def records(self, data: Dataset, count: int, generator: np.random.Generator) -> Split:
        """Pixels uniform on 0 .. 255; features normal, three times as wide as the data."""
        shape = (count, *data.input_shape)
        drawn = shape if self.pattern == "noise" else (count, *(1 for _ in data.input_shape))
        if data.train.x.dtype == np.uint8:
            x = generator.integers(0, 256, drawn, dtype=np.uint8)
        else:
            x = (_SPREAD * generator.standard_normal(drawn)).astype(data.train.x.dtype)
        y = generator.integers(0, data.num_classes, count)
        return Split(np.ascontiguousarray(np.broadcast_to(x, shape)), y)

    def watch(self, trainer: AuditTrainer, generator: np.random.Generator) -> Watch:
        from refdp.audit.runs.canaries.inputs import InputWatch

        return InputWatch(trainer)
