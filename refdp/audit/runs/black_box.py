"""What an adversary sees who is given the final model only: the loss of each canary."""

from __future__ import annotations

import numpy as np

from refdp.audit.runs.trainer import AuditTrainer
from refdp.data import Split
from refdp.models.loss import cross_entropy

_RECORDS = 250  # at a time


def minus_losses(trainer: AuditTrainer, split: Split) -> np.ndarray:
    """Scores, float64 [canaries + references]: the higher, the better the final weights know the canary."""
    xp, network = trainer.backend.xp, trainer.plan.network
    prepared, found = network.prepare(xp, trainer.weights), []
    for start in range(0, len(split.y), _RECORDS):
        some = slice(start, start + _RECORDS)
        with np.errstate(all="ignore"):  # weights that overflowed give no loss; the runner says so
            logits = network.logits(xp, prepared, trainer.data.prepare(xp, split.x[some]))
            found.append(-cross_entropy(xp, logits.astype(np.float64), split.y[some])[0])
    return np.concatenate(found)
