"""What an importer hands back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from refdp.accounting import Ledger


@dataclass(frozen=True)
class Imported:
    """A record of a run, as a ledger.

    Attributes:
        ledger: what was accounted, as the record says.
        format: the name of the record's format.
        notes: what the reader should know, a sentence each: what was assumed, what was passed over.
        claimed: {"epsilon", "delta"} where the record itself holds them (either may be missing), else None.
        actual: what the record says about the run besides its accounting (batch_size, dataset_size, epochs,
            sampler, max_grad_norm ...), as the record says it.
    """

    ledger: Ledger
    format: str
    notes: tuple[str, ...] = ()
    claimed: dict[str, float] | None = None
    actual: dict[str, Any] = field(default_factory=dict)
