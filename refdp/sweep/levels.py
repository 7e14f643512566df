"""What each run of a grid costs: noise solved for, and epsilon, from the ledger of the run's own plan.

Clipping rules need not have the same ledger (one may release a noisy count beside its sums). Two runs share a
solved noise multiplier only where their ledgers are the same, and an epsilon only where the very ledger is.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache
from typing import Any

from refdp.accounting import AccountingError, Bounds
from refdp.config import RunConfig, build
from refdp.data import Dataset, load
from refdp.errors import BudgetError
from refdp.plan import Plan

Cost = tuple[str | None, float | None, float | None]


@lru_cache(maxsize=4)
def _data(name: str, data_dir: str | None, seed: int) -> Dataset:
    return load(name, data_dir, seed)


def dataset_of(config: RunConfig) -> Dataset:
    """The data set of a run; the last few are kept."""
    synthetic = config.dataset.startswith("gaussian-clusters")
    return _data(config.dataset, config.data_dir, config.data_seed if synthetic else 0)


def cost_key(config: RunConfig) -> Cost:
    """What an epsilon is kept under within one sweep: clipping, clip norm, noise multiplier (solved)."""
    return config.clipping, config.clip_norm, config.noise_multiplier


def _text(plan: Plan) -> str:
    return json.dumps(plan.ledger().to_json(), sort_keys=True)


class Levels:
    """The plans of one sweep's private runs, and what they cost; nothing is built or solved twice."""

    def __init__(self) -> None:
        self._plans: dict[Any, Plan] = {}
        self._scales: dict[tuple[float, float], list[tuple[float, str]]] = {}
        self._bounds: dict[Any, Bounds] = {}

    def plan(self, config: RunConfig) -> Plan:
        """The plan of the run's clipping rule and clip norm, at noise scale 1."""
        key = config.clipping, config.clip_norm
        if key not in self._plans:
            unit = replace(config, noise_multiplier=1.0, target_epsilon=None)
            self._plans[key], _ = build(unit, dataset_of(config))
        return self._plans[key]

    def scale(self, config: RunConfig) -> float:
        """The noise multiplier: the run's own, or the least one that keeps its target epsilon.

        One that another rule was given is taken over where, at it, this rule's ledger is the very same.
        """
        if config.noise_multiplier is not None:
            return config.noise_multiplier
        assert config.target_epsilon is not None
        plan = self.plan(config)
        known = self._scales.setdefault((config.target_epsilon, plan.delta), [])
        for scale, ledger in known:
            if _text(plan.with_scale(scale)) == ledger:
                return scale
        try:
            solved = plan.calibrated(config.target_epsilon)
        except AccountingError as error:
            raise AccountingError(f"clipping {config.clipping}: {error}; or leave this rule out") from None
        known.append((solved.schedule.scale, _text(solved)))
        return solved.schedule.scale

    def bounds(self, config: RunConfig) -> Bounds:
        """Both bounds on epsilon of a run whose noise multiplier is known."""
        assert config.noise_multiplier is not None
        plan = self.plan(config).with_scale(config.noise_multiplier)
        key = _text(plan), plan.delta
        if key not in self._bounds:
            self._bounds[key] = plan.epsilon()
        return self._bounds[key]


def solve_levels(runs: list[RunConfig]) -> tuple[list[RunConfig], dict[Cost, Bounds]]:
    """The runs with their noise solved for, and the epsilon of each private run by its ``cost_key``.

    Every rule's plan is built here, so whatever is wrong with the grid is refused before anything is trained.

    Raises:
        RefDPError, AccountingError: a plan that cannot be, or a target out of reach.
    """
    levels, ready = Levels(), []
    bounds: dict[Cost, Bounds] = {}
    for config in runs:
        solved = config
        if config.clipping is not None:
            solved = replace(config, noise_multiplier=levels.scale(config))
            if cost_key(solved) not in bounds:
                bounds[cost_key(solved)] = found = levels.bounds(solved)
                target = config.target_epsilon
                if target is not None and (found.upper is None or found.upper > target):
                    raise BudgetError(
                        f"clipping {config.clipping}: target_epsilon = {target!r}: its run would cost {found.upper!r}"
                    )
        ready.append(solved)
    return ready, bounds
