"""Runs a grid: small models as batches of models, the rest one by one; each run recorded the moment it ends."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from typing import Any

from threadpoolctl import threadpool_limits

from refdp.accounting import Bounds
from refdp.backend import get_backend
from refdp.config import RunConfig, build
from refdp.engine import Trainer
from refdp.files import to_json_value
from refdp.models.memory import keep_freed_memory
from refdp.report import NO_PRIVACY
from refdp.rng import Streams
from refdp.sweep.levels import Cost, cost_key, dataset_of
from refdp.sweep.records import CHOICES
from refdp.sweep.vectorised import SMALL_WORK, batches_of, can_batch, run_batch, work_of

Record = dict[str, Any]


def data_digest(runs: list[RunConfig]) -> str:
    """SHA-256 over the training records of every data set in the grid."""
    digest = hashlib.sha256()
    for config in {(c.dataset, c.data_seed): c for c in runs}.values():
        digest.update(dataset_of(config).train.sha256())
    return digest.hexdigest()


def run_one(config: RunConfig) -> tuple[float, float]:
    """Train one configuration whose noise is known, by the engine; (test accuracy, seconds of training)."""
    keep_freed_memory()
    plan, data = build(config, dataset_of(config))
    trainer = Trainer(plan, data, get_backend(config.backend), Streams.from_seed(config.seed), workers=1)
    with threadpool_limits(1, user_api="blas"):
        begun = time.perf_counter()
        while trainer.step < plan.steps:
            trainer.advance()
        seconds = time.perf_counter() - begun
        return trainer.accuracy(), seconds


def run_together(configs: list[RunConfig]) -> list[tuple[float, float]]:
    """The same for runs of one batch of models, or for one run of any kind."""
    return run_batch(configs) if can_batch(configs[0]) else [run_one(config) for config in configs]


def record_of(config: RunConfig, bounds: Bounds | None, accuracy: float, seconds: float) -> Record:
    """One line of runs.jsonl."""
    epsilon = NO_PRIVACY if bounds is None else {"lower": bounds.lower, "upper": bounds.upper}
    return {
        "noise_multiplier": config.noise_multiplier,
        "clip_norm": config.clip_norm,
        "clipping": config.clipping,
        "seed": config.seed,
        "test_accuracy": accuracy,
        "epsilon": to_json_value(epsilon),
        "delta": config.delta,
        "sampling": config.sampling,
        "seconds": seconds,
        "target_epsilon": config.target_epsilon,
        "neighboring": config.neighboring,
        "dataset": config.dataset,
        "model": config.model,
        **{name: getattr(config, name) for name in CHOICES},
    }


def _end_with_parent() -> None:
    """In a worker: end when the parent is gone, even if it was killed without a chance to say so."""

    def watch(parent: Any) -> None:
        parent.join()
        os._exit(1)

    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=watch, args=(parent,), daemon=True).start()


def run_grid(runs: list[RunConfig], bounds: Mapping[Cost, Bounds], jobs: int) -> Iterator[Record]:
    """Records in the order in which the runs end; ``bounds`` holds the epsilon of each private run's cost key.

    Results do not depend on ``jobs``, nor on which other runs there are.
    """

    def finished(batch: list[RunConfig], results: list[tuple[float, float]]) -> Iterator[Record]:
        for config, result in zip(batch, results, strict=True):
            yield record_of(config, None if config.clipping is None else bounds[cost_key(config)], *result)

    batches = batches_of(runs)
    if min(jobs, len(batches)) <= 1 or _is_small(batches):
        for batch in batches:
            yield from finished(batch, run_together(batch))
        return
    context = multiprocessing.get_context("spawn")
    workers = min(jobs, len(batches))
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent) as pool:
        waiting = {pool.submit(run_together, batch): batch for batch in batches}
        try:
            while waiting:
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield from finished(waiting.pop(future), future.result())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _is_small(batches: list[list[RunConfig]]) -> bool:
    """Whether starting other processes would take longer than the runs."""
    return all(can_batch(batch[0]) for batch in batches) and (
        sum(len(batch) * work_of(batch[0]) for batch in batches) <= SMALL_WORK
    )
