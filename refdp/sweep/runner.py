"""Runs a grid: one process a core, each run recorded the moment it ends."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import replace
from functools import lru_cache
from typing import Any

from threadpoolctl import threadpool_limits

from refdp.accounting import Bounds
from refdp.backend import get_backend
from refdp.config import RunConfig, build
from refdp.data import Dataset, load
from refdp.engine import Trainer
from refdp.files import to_json_value
from refdp.models.memory import keep_freed_memory
from refdp.report import NO_PRIVACY
from refdp.rng import Streams

Record = dict[str, Any]


@lru_cache(maxsize=4)
def _data(name: str, data_dir: str | None, seed: int) -> Dataset:
    return load(name, data_dir, seed)


def _dataset(config: RunConfig) -> Dataset:
    synthetic = config.dataset.startswith("gaussian-clusters")
    return _data(config.dataset, config.data_dir, config.data_seed if synthetic else 0)


def data_digest(runs: list[RunConfig]) -> str:
    """SHA-256 over the training records of every data set in the grid."""
    digest = hashlib.sha256()
    for config in {(c.dataset, c.data_seed): c for c in runs}.values():
        digest.update(_dataset(config).train.sha256())
    return digest.hexdigest()


def solve_levels(runs: list[RunConfig]) -> tuple[list[RunConfig], dict[float, Bounds]]:
    """The runs with their noise solved for, and the epsilon of each noise multiplier, once a level.

    Building the plans here also refuses whatever is wrong with the grid before anything is trained.
    """
    solved: dict[tuple[Any, ...], tuple[float, Bounds]] = {}
    ready, bounds = [], {}
    for config in runs:
        if config.clipping is None:
            ready.append(config)
            continue
        key = (config.noise_multiplier, config.target_epsilon)
        if key not in solved:
            plan, _ = build(config, _dataset(config))
            solved[key] = plan.schedule.scale, plan.epsilon()
        scale, found = solved[key]
        bounds[scale] = found
        ready.append(replace(config, noise_multiplier=scale))
    for clipping, norm in {
        (c.clipping, c.clip_norm) for c in ready
    }:  # every rule is built once, to be checked
        build(next(c for c in ready if (c.clipping, c.clip_norm) == (clipping, norm)), _dataset(ready[0]))
    return ready, bounds


def run_one(config: RunConfig) -> tuple[float, float]:
    """Train one configuration whose noise is known; (test accuracy, seconds of training)."""
    keep_freed_memory()
    plan, data = build(config, _dataset(config))
    trainer = Trainer(plan, data, get_backend(config.backend), Streams.from_seed(config.seed), workers=1)
    with threadpool_limits(1, user_api="blas"):
        begun = time.perf_counter()
        while trainer.step < plan.steps:
            trainer.advance()
        seconds = time.perf_counter() - begun
        return trainer.accuracy(), seconds


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
    }


def _end_with_parent() -> None:
    """In a worker: end when the parent is gone, even if it was killed without a chance to say so."""

    def watch(parent: Any) -> None:
        parent.join()
        os._exit(1)

    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=watch, args=(parent,), daemon=True).start()


def run_grid(runs: list[RunConfig], bounds: dict[float, Bounds], jobs: int) -> Iterator[Record]:
    """Records in the order in which the runs end. Results do not depend on ``jobs``."""

    def finished(config: RunConfig, result: tuple[float, float]) -> Record:
        private = config.clipping is not None
        return record_of(config, bounds[config.noise_multiplier or 0.0] if private else None, *result)

    jobs = min(jobs, len(runs))
    if jobs <= 1:
        for config in runs:
            yield finished(config, run_one(config))
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_end_with_parent) as pool:
        waiting = {pool.submit(run_one, config): config for config in runs}
        try:
            while waiting:
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield finished(waiting.pop(future), future.result())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
