"""Short runs of the engine on the backend against DP-SGD written as a loop over records on the host in float64."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from refdp.accounting import Schedule
from refdp.backend import Backend
from refdp.clippers import clippers
from refdp.data import Dataset
from refdp.data.base import Split
from refdp.engine import Trainer
from refdp.models import models
from refdp.models.shapes import natural
from refdp.optimizers import lr_schedules, optimizers
from refdp.plan import Plan
from refdp.rng import Streams
from refdp.samplers import samplers
from refdp.selftest.case import Case, relative_error

_RECORDS, _BATCH, _CHUNK = 60, 16, 7
_CLIP_NORM, _NOISE_MULTIPLIER, _RATE = 0.5, 0.8, 0.25
_RUNS = {"mlp:activation=tanh": 12, "mnistnet:activation=tanh": 4}


def cases(backend: Backend, seed: int) -> Iterator[Case]:
    """Weights after the last step, from the same batches and the same noise."""
    for spec, steps in _RUNS.items():
        yield Case(
            "training",
            f"{spec}, {steps} steps, {backend.name} float32",
            "largest error of a weight",
            1e-5,
            partial(_error, spec, steps, seed, backend),
        )


def _host_normal(seed: np.random.SeedSequence, size: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(size).astype(np.float32)


def _trainer(spec: str, steps: int, seed: int, backend: Backend) -> Trainer:
    rng = np.random.default_rng([seed, 6])
    input_shape, num_classes = natural(spec)
    x = rng.standard_normal((_RECORDS, *input_shape), dtype=np.float32)
    split = Split(x, rng.integers(num_classes, size=_RECORDS))
    data = Dataset("random", split, split, num_classes, None, None)
    sampler = samplers.create("poisson", dataset_size=_RECORDS, batch_size=_BATCH)
    plan = Plan(
        network=models.create(spec).build(input_shape, num_classes),
        sampler=sampler,
        clipper=clippers.create("flat", clip_norm=_CLIP_NORM),
        schedule=Schedule("constant", steps, _NOISE_MULTIPLIER),
        optimizer=optimizers.create("sgd"),
        learning_rate=_RATE,
        lr_schedule=lr_schedules.create("constant"),
        delta=1e-5,
        neighboring=sampler.default_neighboring,
    )

    def normal(step_seed: np.random.SeedSequence, size: int, dtype: Any) -> Any:
        return backend.asarray(_host_normal(step_seed, size).astype(dtype))

    same_noise = replace(backend, normal=normal)
    return Trainer(plan, data, same_noise, Streams.from_seed(seed), physical_batch_size=_CHUNK)


def _error(spec: str, steps: int, seed: int, backend: Backend) -> float:
    run = _trainer(spec, steps, seed, backend)
    theta = backend.to_host(run.theta).astype(np.float64)
    wanted = _by_hand(run, theta.copy(), steps, seed)
    for _ in range(steps):
        run.advance()
    moved = float(np.abs(wanted - theta).max())
    if not moved > 0.01:
        raise ValueError(f"weights moved by {moved!r}: too little to tell anything")
    return relative_error(backend.to_host(run.theta), wanted)


def _by_hand(run: Trainer, theta: np.ndarray, steps: int, seed: int) -> np.ndarray:
    """theta <- theta - rate (sum_i min(1, C / |g_i|) g_i + z C N(0, I)) / B, a record at a time."""
    network, streams = run.plan.network, Streams.from_seed(seed)
    x, y = run.data.train.x.astype(np.float64), run.data.train.y
    for step in range(steps):
        total = np.zeros(network.size)
        for i in run.plan.sampler.batch(step, streams).indices:
            row = np.empty((1, network.size))
            network.per_sample_gradients(np, theta, x[i : i + 1], y[i : i + 1], row)
            total += row[0] * min(1.0, _CLIP_NORM / float(np.linalg.norm(row)))
        noise = streams.noise(step)
        assert isinstance(noise, np.random.SeedSequence)
        total += _NOISE_MULTIPLIER * _CLIP_NORM * _host_normal(noise, network.size)
        theta -= _RATE * total / _BATCH
    return theta
