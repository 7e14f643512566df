"""Whole training steps, timed: gather the batch, per-sample gradients, clip, sum, noise, update.

The engine's own ``advance`` is what is timed, as ``train`` runs it: one BLAS thread, a worker a core. The data are
random numbers of the model's natural shape, as many records as the batch has, in memory and already scaled; the
batches are the data in order. So loading, sampling and the scaling of pixels take no part. The learning rate is tiny:
the weights stay where they began.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from refdp.accounting import Schedule
from refdp.backend import Backend
from refdp.bench.memory import own_memory_bytes, peak_memory_bytes
from refdp.clippers import clippers
from refdp.data import Dataset
from refdp.data.base import Split
from refdp.engine import Trainer
from refdp.models import models
from refdp.models.memory import keep_freed_memory
from refdp.models.shapes import natural
from refdp.optimizers import lr_schedules, optimizers
from refdp.plan import Plan
from refdp.rng import Streams
from refdp.samplers import samplers

WARM_UP = 2
_STEPS = 1000  # planned; after these the plan begins again


@dataclass(frozen=True)
class Timing:
    """What was measured.

    Attributes:
        seconds: of each measured step.
        peak_memory_bytes: largest resident set of this process, from its start to the end of the measuring, and the
            memory that worker processes have of their own at the end.
        memory_before_bytes: the same before the model and its data were made: the interpreter and its libraries.
        device_memory_bytes: what the device's memory pool holds at the end; None on the host.
        chunk, workers: records at a time, and processes.
        per_sample: how gradients were clipped.
    """

    seconds: list[float]
    peak_memory_bytes: int
    memory_before_bytes: int
    device_memory_bytes: int | None
    chunk: int
    workers: int
    per_sample: str

    @property
    def median(self) -> float:
        """Median seconds of a step."""
        return statistics.median(self.seconds)


def trainer(
    model: str,
    batch_size: int,
    backend: Backend,
    clipping: str,
    physical_batch_size: int | None = None,
    per_sample: str = "auto",
) -> Trainer:
    """A run of this model on random data, each step a batch of all of them."""
    input_shape, num_classes = natural(model)
    network = models.create(model).build(input_shape, num_classes)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch_size, *input_shape), dtype=np.float32)
    split = Split(x, rng.integers(num_classes, size=batch_size))
    data = Dataset("random", split, split, num_classes, None, None)
    clipper = clippers.create(clipping, clip_norm=1.0)
    sampler = samplers.create("fixed-order", dataset_size=batch_size, batch_size=batch_size)
    plan = Plan(
        network=network,
        sampler=sampler,
        clipper=clipper,
        schedule=clipper.noise_schedule(Schedule("constant", _STEPS, 1.0)),
        optimizer=optimizers.create("sgd"),
        learning_rate=1e-6,
        lr_schedule=lr_schedules.create("constant"),
        delta=1e-5,
        neighboring=sampler.default_neighboring,
    )
    streams = Streams.from_seed(0)
    return Trainer(
        plan, data, backend, streams, physical_batch_size=physical_batch_size, per_sample=per_sample
    )


def measure(
    model: str,
    batch_size: int,
    backend: Backend,
    seconds: float,
    clipping: str = "flat",
    physical_batch_size: int | None = None,
    per_sample: str = "auto",
) -> Timing:
    """Take steps for that many seconds after the warm-up (at least one), and time each."""
    before = peak_memory_bytes()
    keep_freed_memory()
    run = trainer(model, batch_size, backend, clipping, physical_batch_size, per_sample)
    with threadpool_limits(1, user_api="blas"):
        for _ in range(WARM_UP):
            _one(run)
        found: list[float] = []
        total = 0.0
        while not found or total < seconds:
            found.append(_one(run))
            total += found[-1]
    pool = None if backend.reads_are_free else int(backend.xp.get_default_memory_pool().total_bytes())
    peak = peak_memory_bytes() + sum(map(own_memory_bytes, run.worker_pids))
    alive = 1 + len(run.worker_pids)
    run.close()
    return Timing(found, peak, before, pool, run.chunk, alive, run.per_sample)


def _one(run: Trainer) -> float:
    """Seconds of one step."""
    if run.step == run.plan.steps:
        run.step = 0
    begun = time.perf_counter()
    run.advance()
    run.backend.to_host(run.theta[:1])  # waits for a device
    return time.perf_counter() - begun
