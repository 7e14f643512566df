"""Runs of a sweep that differ in noise, clipping, clip norm and target only, trained as one batch of models.

Runs of one seed see the same records, the same batches, the same initial weights and the same standard normals at
every step, so a batch of models draws each of them once. Every formula is the engine's (``refdp.engine``), with a
leading run axis; per-sample norms are taken without the gradients (``refdp.sweep.mlps``). What cannot be batched this
way is trained by the engine, one run after the other: see ``can_batch``.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from refdp.backend import get_backend
from refdp.clippers import AdaptiveClipper, ClipContext, Clipper, clippers, rounding_margin
from refdp.config import RunConfig, build
from refdp.data import Dataset
from refdp.models import models
from refdp.models.memory import keep_freed_memory
from refdp.optimizers import lr_schedules, optimizers
from refdp.optimizers.lr.plateau_rule import Plateau
from refdp.plan import Plan
from refdp.registry import parse_spec
from refdp.rng import Streams
from refdp.sweep.levels import dataset_of
from refdp.sweep.mlps import Mlps, is_mlp

MOST_WORK = 2**34
"""Steps x batch size x parameters, summed over the runs of one batch: some ten seconds. A batch's runs end together,
so this is what a killed sweep may lose."""

SMALL_WORK = 2**32
"""What one process does in the time that others take to start."""


def can_batch(config: RunConfig) -> bool:
    """Whether ``run_batch`` trains this run: an ``mlp`` on the host, a rule with one norm a record and no memory, and
    nothing that the records or the accuracy are asked for in between."""
    if parse_spec(config.model)[0] != "mlp" or config.backend != "numpy":
        return False
    if (
        config.noise_source != "reproducible"
        or config.augmentation is not None
        or config.iterates is not None
    ):
        return False
    if isinstance(lr_schedules.create(config.lr_schedule), Plateau):
        return False
    if getattr(optimizers.create(config.optimizer), "bias_correction", "none") != "none":
        return False  # g^2 - std^2 loses digits: the two paths' roundings would grow
    if config.clipping is None:
        return True
    rule = clippers.create(config.clipping, clip_norm=config.clip_norm)
    return not (rule.per_group or isinstance(rule, AdaptiveClipper))


def work_of(config: RunConfig) -> float:
    """Steps x batch size x parameters of a run that can be batched."""
    data = dataset_of(config)
    network = models.create(config.model).build(data.input_shape, data.num_classes)
    return float(config.epochs) * len(data.train.y) * network.size


def batches_of(runs: Iterable[RunConfig]) -> list[list[RunConfig]]:
    """The runs in batches that train together, in their order; each run that cannot be batched is alone."""
    groups: dict[Any, list[RunConfig]] = defaultdict(list)
    for config in runs:
        shared = replace(config, clipping=None, clip_norm=None, noise_multiplier=None, target_epsilon=None)
        groups[shared if can_batch(config) else config].append(config)
    found = []
    for group in groups.values():
        size = max(1, int(MOST_WORK / work_of(group[0]))) if can_batch(group[0]) else 1
        found += [group[start : start + size] for start in range(0, len(group), size)]
    return found


class _Rules:
    """The clipping of R runs: each rule is asked once for all of its runs."""

    def __init__(self, plans: list[Plan], dtype: Any) -> None:
        self._plan, self._margin, self._dtype = plans[0], rounding_margin(dtype), dtype
        places: dict[Clipper, list[int]] = defaultdict(list)
        for r, plan in enumerate(plans):
            if plan.clipper is not None:
                places[plan.clipper].append(r)
        self._rules = {clipper: np.array(runs) for clipper, runs in places.items()}
        self.private = np.array([plan.clipper is not None for plan in plans])

    def _context(self, step: int) -> ClipContext:
        return ClipContext(step, self._plan.steps, self._margin, (self._plan.network.size,))

    def noise_scales(self, step: int) -> np.ndarray:
        """Standard deviation of each run's noise at noise multiplier 1: float64 [R]."""
        found = np.zeros(len(self.private))
        for clipper, runs in self._rules.items():
            found[runs] = clipper.noise_scales(self._context(step))[0]
        return found

    def scales(self, step: int, norms: np.ndarray) -> np.ndarray:
        """Norms float64 [R, B] -> scales [R, B], rounded down to the weights' type; 1 for baselines."""
        found = np.ones(norms.shape)
        for clipper, runs in self._rules.items():
            own = clipper.scales(np, norms[runs].reshape(-1, 1), self._context(step))
            found[runs] = own.reshape(len(runs), -1)
        rounded = found.astype(self._dtype)
        return np.where(rounded > found, np.nextafter(rounded, self._dtype(0)), rounded)


def _inputs(data: Dataset, x: np.ndarray) -> np.ndarray:
    """Model inputs of records that all runs see: float32 [1, B, F]."""
    return np.asarray(data.prepare(np, x)).reshape(1, len(x), math.prod(x.shape[1:]))


def train(configs: list[RunConfig], dtype: Any = np.float32) -> tuple[Mlps, np.ndarray]:
    """Train runs of one batch, whose noise is known: (the models, the weights to evaluate [R, D])."""
    data = dataset_of(configs[0])
    plans = [build(config, data)[0] for config in configs]
    plan, backend, streams = plans[0], get_backend("numpy"), Streams.from_seed(configs[0].seed)
    assert is_mlp(plan.network)
    mlps, rules, runs = Mlps(plan.network), _Rules(plans, dtype), len(plans)
    drawn = plan.network.initialise(streams.init(), dtype=dtype)
    theta = np.repeat(drawn[None], runs, axis=0)
    memory = plan.optimizer.initial_state(np, theta)
    multipliers = np.stack([plan.schedule.noise_multipliers() for plan in plans], axis=1) * rules.private
    for step in range(plan.steps):
        batch = plan.sampler.batch(step, streams)
        x = _inputs(data, data.train.x[batch.indices])
        y = data.train.y[batch.indices][None]
        released = mlps.sums(theta, x, y, partial(rules.scales, step), rules.private)
        seed = streams.noise(step)
        assert not callable(seed)
        noise = backend.normal(seed, plan.network.size, dtype).astype(np.float64)
        stds = (multipliers[step] * rules.noise_scales(step))[:, None]
        released += stds * noise
        gradient = (released / batch.divisor).astype(dtype)
        rate = plan.learning_rate * plan.lr_schedule.factor(step, plan.steps)
        std = (stds / batch.divisor).astype(dtype)
        theta = plan.optimizer.update(np, theta, gradient, memory, rate, std)
    return mlps, plan.optimizer.weights(theta, memory)


def run_batch(configs: list[RunConfig]) -> list[tuple[float, float]]:
    """Train runs of one batch; (test accuracy, its share of the seconds of training) of each."""
    keep_freed_memory()
    data = dataset_of(configs[0])
    with threadpool_limits(1, user_api="blas"), np.errstate(all="ignore"):
        begun = time.perf_counter()
        mlps, theta = train(configs)
        seconds = (time.perf_counter() - begun) / len(configs)
        hits = mlps.hits(theta, _inputs(data, data.test.x), data.test.y[None])
    return [(int(count) / len(data.test.y), seconds) for count in hits]
