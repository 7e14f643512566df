"""From an audit's choices to what its runs share: plan, data with slots, canaries, claim."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace

import numpy as np

from refdp.audit.runs.beforehand import best_bound
from refdp.audit.runs.canaries import Canary, canaries
from refdp.audit.runs.checks import check_choices, check_claim, default_estimator
from refdp.audit.runs.config import AuditConfig
from refdp.audit.runs.seeds import Seeds
from refdp.clippers import clippers
from refdp.config import parse_schedule
from refdp.data import Dataset, Split, load
from refdp.errors import RefDPError
from refdp.models import models
from refdp.optimizers import lr_schedules, optimizers
from refdp.plan import Plan
from refdp.samplers import samplers

RECORDS = 1000


@dataclass(frozen=True, eq=False)
class Setup:
    """What the runs of an audit share.

    Attributes:
        config: with every choice made: nothing in it is None but what stays so.
        plan: over all slots; its ledger is what is audited.
        data: its train split has a record for each slot, records first, then canaries.
        canary_records: of canaries, then references.
        unused: training records that no run uses.
        best_bound: the largest bound that the declared estimator could give on so many canaries.
        initial: weights to begin with [D]; None for a random draw of each run.
    """

    config: AuditConfig
    plan: Plan
    data: Dataset
    canary: Canary
    canary_records: Split
    unused: Split
    best_bound: float
    initial: np.ndarray | None = None

    @property
    def seeds(self) -> Seeds:
        """The audit's random streams."""
        return Seeds(self.config.seed)

    def sha256(self) -> str:
        """Digest of all records: of training, of canaries, and those that worst-case weights are trained on."""
        digest = hashlib.sha256()
        for split in (self.data.train, self.canary_records, self.unused):
            digest.update(split.sha256())
        return digest.hexdigest()


def prepare(config: AuditConfig) -> Setup:
    """Make every choice that is still open, and check that they go together.

    Raises:
        RefDPError, AccountingError: whatever in the configuration cannot be, or would make an audit that says nothing.
    """
    canary = canaries.create(config.canary)
    data = load(config.dataset, config.data_dir, config.data_seed)
    available = len(data.train.y)
    records = min(RECORDS, available) if config.records is None else config.records
    if records > available:
        raise RefDPError(f"records = {records}: {data.name} has {available} training records; take fewer")
    config, seeds = replace(config, records=records), Seeds(config.seed)
    order = seeds.records().permutation(available)
    used, unused = order[:records], order[records:]
    config = replace(config, batch_size=config.batch_size or config.slots)
    plan = _plan(config, data)
    config = replace(
        config, noise_multiplier=plan.schedule.scale, neighboring=plan.neighboring, steps=plan.steps
    )
    check_choices(config, plan, canary, len(unused))
    config = replace(config, references=_references(config, plan, canary, len(data.test.y)))
    config = check_claim(config, plan, canary)
    config = replace(config, estimator=config.estimator or default_estimator(config, canary))
    best = best_bound(config)
    count = config.canaries + (config.references or 0)
    found = canary.records(data, count, seeds.pool())
    x = np.concatenate([data.train.x[used], found.x[: config.canaries]])
    y = np.concatenate([data.train.y[used], found.y[: config.canaries]])
    slots = replace(data, train=Split(x, y))
    rest = Split(data.train.x[unused], data.train.y[unused])
    return Setup(config, plan, slots, canary, found, rest, best)


def _plan(config: AuditConfig, data: Dataset) -> Plan:
    sampler = samplers.create(config.sampling, dataset_size=config.slots, batch_size=config.batch_size)
    clipper = clippers.create(config.clipping, clip_norm=config.clip_norm)
    steps = sampler.steps(1) if config.steps is None else config.steps
    scale = 1.0 if config.noise_multiplier is None else config.noise_multiplier
    plan = Plan(
        network=models.create(config.model).build(data.input_shape, data.num_classes),
        sampler=sampler,
        clipper=clipper,
        schedule=clipper.noise_schedule(parse_schedule(config.schedule, steps, scale, sampler.steps(1))),
        optimizer=optimizers.create(config.optimizer),
        learning_rate=config.learning_rate,
        lr_schedule=lr_schedules.create("constant"),
        delta=config.delta,
        neighboring=config.neighboring or sampler.default_neighboring,
    )
    if config.noise_multiplier is not None:
        return plan
    if config.target_epsilon is None or not math.isfinite(config.target_epsilon):
        raise RefDPError("target_epsilon: a finite one is needed where there is no noise_multiplier")
    return plan.calibrated(config.target_epsilon)


def _references(config: AuditConfig, plan: Plan, canary: Canary, held_out: int) -> int:
    """How many references; refuses more canaries and references than there is room for."""
    room = canary.room(plan.network.size, held_out)
    asked = config.references
    if config.canaries + (asked or 0) > room:
        what = "the model's parameters" if canary.gradient_space else "the test split's records"
        raise RefDPError(
            f"canaries + references = {config.canaries + (asked or 0)}: must not exceed the {room} there is room for "
            f"({what}); take fewer"
        )
    if asked is not None:
        return asked
    if config.runs > 1 or plan.neighboring == "replace-one" or not canary.gradient_space or canary.alone:
        return 0
    return min(10 * config.canaries, room - config.canaries)
