"""Mislabelled canaries: held-out records with a wrong label, which only a model that saw them has reason to believe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from refdp.audit.runs.canaries import canaries
from refdp.audit.runs.canaries.base import Canary, Watch
from refdp.data import Dataset, Split

if TYPE_CHECKING:
    from refdp.audit.runs.trainer import AuditTrainer


@canaries.register("mislabelled")
@dataclass(frozen=True)
class Mislabelled(Canary):
    """Records of the test split, each with a label drawn from those that are wrong."""

    name: ClassVar[str] = "mislabelled"
    statement: ClassVar[str] = "each canary is a record of the test split with a wrong label"

    def room(self, coordinates: int, held_out: int) -> int:
        """As many as the test split has records."""
        return held_out

    def records(self, data: Dataset, count: int, generator: np.random.Generator) -> Split:
        """Distinct records, in random order."""
        chosen = generator.choice(len(data.test.y), count, replace=False)
        turn = generator.integers(1, data.num_classes, count)
        return Split(data.test.x[chosen], (data.test.y[chosen] + turn) % data.num_classes)

    def watch(self, trainer: AuditTrainer, generator: np.random.Generator) -> Watch:
        from refdp.audit.runs.canaries.inputs import InputWatch

        return InputWatch(trainer)
