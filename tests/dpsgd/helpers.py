"""A small private run for tests: 60 records, a linear-ish mlp, float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from refdp.accounting import Schedule
from refdp.backend import Backend, numpy_backend
from refdp.clippers import clippers
from refdp.data import Dataset, load
from refdp.engine import Trainer
from refdp.gradients import Augmentation
from refdp.gradients import iterates as past
from refdp.models import models
from refdp.optimizers import lr_schedules, optimizers
from refdp.plan import Plan
from refdp.rng import Streams
from refdp.samplers import samplers


def small_data(n_samples: int = 75) -> Dataset:
    return load(f"gaussian-clusters:n_samples={n_samples},n_features=6", seed=3)


def small_plan(
    data: Dataset,
    *,
    sampling: str = "poisson",
    batch_size: int = 12,
    clipping: str = "flat",
    clip_norm: float = 0.5,
    steps: int = 20,
    schedule: Schedule | None = None,
    noise_multiplier: float = 1.3,
    optimizer: str = "sgd",
    lr_schedule: str = "constant",
    learning_rate: float = 1.0,
    private: bool = True,
    augmentation: Augmentation | None = None,
    iterates: str | None = None,
    hidden: int = 8,
) -> Plan:
    sampler = samplers.create(sampling, dataset_size=len(data.train.y), batch_size=batch_size)
    clipper = clippers.create(clipping, clip_norm=clip_norm)
    schedule = schedule or Schedule("constant", steps, noise_multiplier)
    return Plan(
        network=models.create(f"mlp:hidden={hidden}").build(data.input_shape, data.num_classes),
        sampler=sampler,
        clipper=clipper if private else None,
        schedule=clipper.noise_schedule(schedule) if private else schedule,
        optimizer=optimizers.create(optimizer),
        learning_rate=learning_rate,
        lr_schedule=lr_schedules.create(lr_schedule),
        delta=1e-5,
        neighboring=sampler.default_neighboring,
        augmentation=augmentation,
        iterates=None if iterates is None else past.create(iterates),
    )


def small_trainer(
    *,
    seed: int = 11,
    backend: Backend | None = None,
    chunk: int | None = None,
    dtype: Any = np.float64,
    workers: int = 1,
    per_sample: str = "auto",
    **plan: Any,
) -> Trainer:
    data = small_data()
    return Trainer(
        small_plan(data, **plan),
        data,
        backend or numpy_backend(),
        Streams.from_seed(seed),
        physical_batch_size=chunk,
        dtype=dtype,
        workers=workers,
        per_sample=per_sample,
    )
