"""The epsilons of a finished sweep, computed anew: from the ledger of each run's own plan, not from a formula."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from refdp.sweep.grid import Grid
from refdp.sweep.levels import Levels
from refdp.sweep.records import Run, as_json, is_baseline, number, run_name

ROUNDING = 1e-6
"""Relative: what another machine's arithmetic may change in a bound."""


def recheck(config: dict[str, Any], runs: list[Run]) -> list[str]:
    """What is wrong with the bounds of these runs, a line each; empty where all are right.

    Each bound must be that of the plan that the configuration and the run make, and no upper bound may exceed
    its target.

    Raises:
        RefDPError: the configuration is not a whole one, or the data set cannot be read.
    """
    grid, levels, wrong = Grid.from_json(config), Levels(), []
    for run in runs:
        if is_baseline(run):
            continue
        own = {name: run[name] for name in ("clipping", "clip_norm", "noise_multiplier", "seed")}
        true = levels.bounds(replace(grid.base(), **own, data_seed=run["seed"]))
        for side, value in (("lower", true.lower), ("upper", true.upper)):
            if not _same(run["epsilon"][side], value):
                found = run["epsilon"][side]
                wrong.append(f"{run_name(run)}: {side} bound {found}, but its ledger gives {as_json(value)}")
        target = run.get("target_epsilon")
        if target is not None and (true.upper is None or true.upper > target * (1 + ROUNDING)):
            wrong.append(f"{run_name(run)}: upper bound {as_json(true.upper)} exceeds the target {target:g}")
    return wrong


def _same(found: Any, value: float | None) -> bool:
    if found is None or value is None:
        return found is value
    return number(found) == value or math.isclose(number(found), value, rel_tol=ROUNDING)
