"""What a run costs, written out one step at a time from the definitions: nothing here asks the plan for its ledger.

Each step of noise multiplier z_t releases a sum; an adaptive rule with L thresholds releases L centred counts with it,
each with noise of standard deviation s: together one Gaussian release of multiplier (z_t^-2 + L / (4 s^2))^(-1/2)
(Andrew et al. 2021, Theorem 1). A learning rate that follows an accuracy adds a full-batch release of multiplier 2 s'.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from schedule_formulas import ratios

from refdp.accounting import GaussianEvent, Ledger, Sampling, Schedule, epsilon
from refdp.clippers import AdaptiveClipper, clippers
from refdp.models import models
from refdp.optimizers import lr_schedules, optimizers
from refdp.plan import Plan
from refdp.registry import parse_spec
from refdp.samplers import samplers

NETWORK = models.create("mlp:hidden=3").build((4,), 3)
TENSORS = len(NETWORK.parameters)
FULL = Sampling("full-batch")
RELATIONS = {
    "poisson": ("add-remove", "zero-out", "replace-one"),
    "without-replacement": ("replace-one",),
    "shuffle": ("zero-out", "replace-one"),
    "fixed-order": ("zero-out", "replace-one"),
}
"""Relations under which a registered sampler's runs are accounted; the others are refused."""


@dataclass(frozen=True)
class Run:
    """A run to be planned, by its names and numbers."""

    rule: str
    shape: str = "constant"
    sampling: str = "poisson"
    neighboring: str = ""
    steps: int = 12
    records: int = 60
    batch: int = 12
    parameters: dict[str, float] = field(default_factory=dict)
    harmonic: bool = False
    rate: str = "constant"
    delta: float = 1e-5

    def plan(self, scale: float = 1.0) -> Plan:
        """As the command line would build it."""
        clipper = clippers.create(self.rule, clip_norm=1.0)
        normalise = "harmonic" if self.harmonic else None
        schedule = Schedule(self.shape, self.steps, scale, self.parameters, normalise)
        return Plan(
            network=NETWORK,
            sampler=samplers.create(self.sampling, dataset_size=self.records, batch_size=self.batch),
            clipper=clipper,
            schedule=clipper.noise_schedule(schedule),
            optimizer=optimizers.create("sgd"),
            learning_rate=0.1,
            lr_schedule=lr_schedules.create(self.rate),
            delta=self.delta,
            neighboring=self.neighboring or relations(self.sampling)[0],
        )


def relations(sampling: str) -> tuple[str, ...]:
    """A registered sampler without a row has no tests, and is refused."""
    assert sampling in RELATIONS, f"sampler {sampling!r} is registered: give it a row in budget_checks"
    return RELATIONS[sampling]


def gradient_multipliers(run: Run, scale: float) -> np.ndarray:
    """z_t. The rule ``dynamic`` brings its own: mu grows by rho_mu in the course of the run."""
    name, given = parse_spec(run.rule)
    if name == "dynamic":
        end = 1 / float(given.get("rho_mu", 1.5))
        return scale * ratios("exponential", run.steps, {"start": 1.0, "end": end})
    return scale * ratios(run.shape, run.steps, run.parameters, run.harmonic)


def counts_cost(run: Run, scale: float) -> float:
    """L / (4 s^2): 1 / multiplier^2 of a step's counts, 0 where there are none."""
    name, given = parse_spec(run.rule)
    rule = clippers.get(name)
    if not issubclass(rule, AdaptiveClipper):
        return 0.0
    thresholds = TENSORS if rule.per_group else 1
    if "count_noise" in given:
        return thresholds / (4 * float(given["count_noise"]) ** 2)
    share = float(given.get("share", 0.05))
    of_share = share / (1 - share) / scale**2
    return of_share if "share" in given else min(of_share, thresholds / (4 * (run.batch / 20) ** 2))


def by_hand(run: Run, scale: float, steps: int | None = None) -> Ledger:
    """The ledger of the first ``steps`` steps."""
    taken = run.steps if steps is None else steps
    z, beside = gradient_multipliers(run, scale)[:taken], counts_cost(run, scale)
    joint = [(1 / x**2 + beside) ** -0.5 for x in z]
    width = math.ceil(run.records / run.batch)
    if run.sampling == "poisson":
        each = Sampling("poisson", rate=run.batch / run.records)
        events = [GaussianEvent(x, each) for x in joint]
    elif run.sampling == "without-replacement":
        each = Sampling("without-replacement", dataset_size=run.records, batch_size=run.batch)
        events = [GaussianEvent(x, each) for x in joint]
    elif run.sampling == "shuffle":  # each epoch, the record may meet its least noise
        epochs = [joint[start : start + width] for start in range(0, taken, width)]
        events = [GaussianEvent(min(epoch), FULL) for epoch in epochs]
    else:
        assert run.sampling == "fixed-order", run.sampling
        places = [joint[start::width] for start in range(min(width, max(taken, 1)))]
        worst = max(places, key=lambda place: sum(1 / x**2 for x in place))
        events = [GaussianEvent(x, FULL) for x in worst]
    name, given = parse_spec(run.rate)
    if name == "plateau":
        every = int(given["every"]) if "every" in given else width
        std = float(given["count_noise"]) if "count_noise" in given else max(run.records / 200, 10)
        events += [GaussianEvent(2 * std, FULL)] * (taken // every)
    return Ledger(run.neighboring or relations(run.sampling)[0], tuple(events))


def costs(ledger: Ledger) -> dict[Any, Any]:
    """Multipliers of each kind of sampled step, ascending; of the others the sum of (distance / multiplier)^2."""
    found: dict[Any, Any] = {}
    for kernel, values, counts in ledger.charges():
        if kernel.sampled:
            frozen: Any = kernel  # a dataclass, as all of them are
            own = {f.name for f in dataclasses.fields(frozen)}
            kind = dataclasses.replace(frozen, attained=True) if "attained" in own else kernel
            every = np.repeat(values, counts.astype(int))
            found[kind] = np.sort(np.concatenate([found.get(kind, []), every]))
        else:
            found["unsampled"] = found.get("unsampled", 0.0) + float(
                np.sum(counts * (kernel.distance / values) ** 2)
            )
    return found


def check_charges(run: Run, scale: float = 1.0) -> None:
    """After any number of steps the plan's ledger charges what was released: not less, and not more."""
    plan = run.plan(scale)
    for steps in range(run.steps + 1):
        charged, released = costs(plan.ledger(steps)), costs(by_hand(run, scale, steps))
        says = f"{run}: after {steps} steps"
        assert charged.keys() == released.keys(), f"{says}, something was released that is not charged"
        for kind, due in released.items():
            given = charged[kind]
            if kind == "unsampled":
                assert given >= due * (1 - 1e-12), f"{says}, less is charged than was released"
                assert given <= due * (1 + 1e-9), f"{says}, more is charged than was released"
                continue
            assert len(given) == len(due), f"{says}, {len(given)} of {len(due)} steps are charged"
            assert np.all(given <= due * (1 + 1e-12)), f"{says}, less is charged than was released"
            assert np.all(given >= due * (1 - 1e-9)), f"{says}, more is charged than was released"


def out_of_reach(run: Run, target: float) -> bool:
    """Whether what is released beside the gradient costs more than the target (or nearly all of it) alone."""
    spent = epsilon(by_hand(run, 1e9), run.delta).upper
    return spent is None or spent > 0.99 * target


def check_budget(run: Run, target: float) -> Plan:
    """The calibrated run, accounted by hand, costs at most the target, and nearly all of it."""
    plan = run.plan().calibrated(target)
    scale = plan.schedule.scale
    assert plan == dataclasses.replace(run.plan(scale))
    spent = epsilon(by_hand(run, scale), run.delta).upper
    assert spent is not None
    assert spent <= target * (1 + 1e-9), f"{run}: accounted epsilon {spent!r} exceeds the target {target!r}"
    assert spent >= 0.99 * target, f"{run}: {spent!r} is spent of the target {target!r}"
    return plan
