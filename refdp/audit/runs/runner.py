"""Runs of an audit, one after the other or in several processes; each is handed over the moment it ends."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from refdp.audit.runs.black_box import minus_losses
from refdp.audit.runs.config import AuditConfig
from refdp.audit.runs.setup import Setup, prepare
from refdp.audit.runs.trainer import AuditTrainer
from refdp.backend import numpy_backend
from refdp.batches import cores
from refdp.errors import RefDPError
from refdp.models.memory import keep_freed_memory

_ACCURACIES = 10  # runs whose test accuracy is told: it can take longer than training
Record = dict[str, Any]
StepListener = Callable[[int, int], None]
"""(step, steps) of a run that is under way in this process."""


def workers_of(config: AuditConfig) -> int:
    """Processes that share a batch: all cores for a single run; one where runs share the cores. Never of ``jobs``, on
    which results must not depend."""
    return cores() if config.runs == 1 else 1


def planted_in(setup: Setup, run: int) -> np.ndarray:
    """The coins of a run, bool [canaries]."""
    return setup.seeds.planted(run, setup.config.canaries)


def trainer_of(setup: Setup, run: int) -> AuditTrainer:
    """A run at its first step.

    Raises:
        RefDPError: worst-case initial weights were chosen, and not made.
    """
    config = setup.config
    if (setup.initial is None) != (config.initial == "random"):
        raise RefDPError(
            f"initial = {config.initial!r}: its weights are not made; see initial.worst_case_weights"
        )
    return AuditTrainer(
        setup.plan,
        setup.data,
        numpy_backend(),
        setup.seeds.training(run),
        setup.canary,
        planted_in(setup, run),
        setup.seeds.canaries(run),
        canary_records=setup.canary_records,
        watching=config.scores == "white-box",
        fault=config.fault,
        initial=setup.initial,
        workers=workers_of(config),
    )


def run_one(setup: Setup, run: int, listener: StepListener = lambda step, steps: None) -> Record:
    """Train and score one run: a line of scores.jsonl.

    Raises:
        RefDPError: a canary has no score, since the weights overflowed.
    """
    keep_freed_memory()
    begun = time.perf_counter()
    trainer, config = trainer_of(setup, run), setup.config
    with threadpool_limits(1, user_api="blas"), contextlib.closing(trainer):
        while trainer.step < setup.plan.steps:
            trainer.advance()
            listener(trainer.step, setup.plan.steps)
        white_box = config.scores == "white-box"
        scores = trainer.watch.scores() if white_box else minus_losses(trainer, setup.canary_records)
        told = run < _ACCURACIES and not setup.canary.alone
        accuracy = trainer.accuracy() if told else None
    if not np.isfinite(scores).all():
        raise RefDPError(
            f"run {run}: {int((~np.isfinite(scores)).sum())} of {len(scores)} canaries have no finite score: the "
            "weights overflowed; lower --learning-rate"
        )
    return {
        "run": run,
        "planted": trainer.planted.astype(int).tolist(),
        "scores": scores[: config.canaries].tolist(),
        "references": scores[config.canaries :].tolist(),
        "test_accuracy": accuracy,
        "seconds": time.perf_counter() - begun,
    }


_setup: Setup | None = None  # of a worker process


def _begin(config: AuditConfig, initial: np.ndarray | None) -> None:
    """In a worker: what its runs share; and end when the parent is gone, even if it was killed."""

    def watch(parent: Any) -> None:
        parent.join()
        os._exit(1)

    global _setup
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=watch, args=(parent,), daemon=True).start()
    _setup = replace(prepare(config), initial=initial)


def _runs(numbers: Sequence[int]) -> list[Record]:
    assert _setup is not None
    return [run_one(_setup, number) for number in numbers]


def run_many(
    setup: Setup, numbers: Sequence[int], jobs: int, listener: StepListener = lambda step, steps: None
) -> Iterator[Record]:
    """Records in the order in which runs end.

    G1. A record (but for its seconds) depends on the audit's configuration and the run's number only: not on ``jobs``,
        nor on which other runs there are.
    """
    numbers = list(numbers)
    if min(jobs, len(numbers)) <= 1:
        for number in numbers:
            yield run_one(setup, number, listener)
        return
    context, jobs = multiprocessing.get_context("spawn"), min(jobs, len(numbers))
    some = max(1, min(16, len(numbers) // (8 * jobs)))
    tasks = [numbers[start : start + some] for start in range(0, len(numbers), some)]
    begin = setup.config, setup.initial
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=begin) as pool:
        waiting = {pool.submit(_runs, task) for task in tasks}
        try:
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield from future.result()
        except BrokenProcessPool:
            raise RefDPError(
                "a process that ran the audit's runs was killed (out of memory?); runs that ended are kept: go on with "
                "--resume, and fewer --jobs"
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
