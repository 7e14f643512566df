"""One run from its first step to its last: evaluations, checkpoints, the running epsilon.

The engine takes steps; this drives it, and tells a listener what it may see. A listener never sees an
un-noised training quantity unless the run was made with ``watch_private``.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from threadpoolctl import threadpool_limits

from refdp.engine import Trainer
from refdp.models.memory import keep_freed_memory
from refdp.run_directory import PRIVATE_COLUMN, RunDirectory


@dataclass(frozen=True)
class Progress:
    """What a listener is told after a step; from ``epoch`` on None except after an evaluation.

    ``private_train_loss`` is un-noised, and None unless the run watches it.
    """

    step: int
    steps: int
    epoch: int | None = None
    test_accuracy: float | None = None
    epsilon_upper: float | None = None
    private_train_loss: float | None = None


Listener = Callable[[Progress], None]


def evaluate(trainer: Trainer, epoch: int) -> dict[str, Any]:
    """One row of metrics.csv."""
    row: dict[str, Any] = {"step": trainer.step, "epoch": epoch, "test_accuracy": trainer.accuracy()}
    upper = trainer.plan.epsilon_upper(trainer.step) if trainer.plan.private else math.inf
    row["epsilon_upper"] = "inf" if upper == math.inf else upper
    row["delta"] = trainer.plan.delta
    if trainer.watch_private and trainer.private_losses:
        row[PRIVATE_COLUMN] = sum(trainer.private_losses) / len(trainer.private_losses)
        trainer.private_losses.clear()
    return row


def run_to_end(
    trainer: Trainer,
    epochs: int,
    directory: RunDirectory | None = None,
    listener: Listener = lambda progress: None,
) -> list[dict[str, Any]]:
    """Take the remaining steps; evaluate, and with a directory save, at the end of each epoch.

    Returns:
        The rows of metrics.csv, those of an interrupted first part included.

    One BLAS thread is used a process: chunks are small.
    """
    keep_freed_memory()
    steps = trainer.plan.steps
    ends = {-(-steps * epoch // epochs): epoch for epoch in range(1, epochs + 1)}
    rows = directory.read_metrics(trainer.step) if directory else []
    with threadpool_limits(1, user_api="blas"), contextlib.closing(trainer):
        while trainer.step < steps:
            trainer.advance()
            epoch = ends.get(trainer.step)
            if epoch is None:
                listener(Progress(trainer.step, steps))
                continue
            row = evaluate(trainer, epoch)
            rows.append(row)
            upper = float(row["epsilon_upper"])
            loss = row.get(PRIVATE_COLUMN)
            listener(Progress(trainer.step, steps, epoch, row["test_accuracy"], upper, loss))
            if directory is not None:
                save(trainer, directory, rows)
    if directory is not None:
        theta = trainer.backend.to_host(trainer.weights)
        directory.write_weights(trainer.plan.network.to_framework(theta))
    return rows


def save(trainer: Trainer, directory: RunDirectory, rows: list[dict[str, Any]]) -> None:
    """Metrics and ledger first, the checkpoint that makes them true last."""
    if trainer.plan.private:
        directory.write_ledger(trainer.plan.ledger(trainer.step))
    directory.write_metrics(rows)
    directory.write_checkpoint(trainer.state())
