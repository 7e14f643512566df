"""What the runs of a sweep say together: means over seeds, the best clip norm, the cliff, the safe region.

Every epsilon here is the one of the runs, so it is true for the sampler that was used. Conclusions are
drawn from upper bounds: a configuration counts as private only as far as is proved.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

from refdp.sweep.records import CHOICES, Run, as_json, expected_keys, is_baseline, level, number, run_key

SCHEMA = "refdp-sweep-summary/1"
CLIFF, SAFE = 0.5, 0.9
SELECTION_NOTE = (
    "Picking the best configuration by its test accuracy looks at data in a way that no epsilon here covers: "
    "each epsilon is that of one run alone."
)
NO_BASELINE = "no baseline was run, so there is nothing to compare with"
_TINY = 1e-12  # thresholds are products of rounded means; equality must not hang on the last bit

Cell = dict[str, Any]


def mean_std(values: list[float]) -> tuple[float, float | None]:
    """Mean and standard deviation (ddof = 1; None for a single value); the order of values is immaterial."""
    mean = math.fsum(values) / len(values)
    if len(values) == 1:
        return mean, None
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def hull(epsilons: list[dict[str, Any]]) -> dict[str, Any]:
    """The bounds that hold for all of these; null as soon as one is unknown."""

    def bound(side: str, choose: Any) -> float | str | None:
        values = [epsilon[side] for epsilon in epsilons]
        return None if None in values else as_json(choose(map(number, values)))

    return {"lower": bound("lower", min), "upper": bound("upper", max)}


def _baseline(runs: list[Run]) -> dict[str, Any]:
    accuracies = [run["test_accuracy"] for run in runs if is_baseline(run)]
    if not accuracies:
        return {"mean": None, "std": None, "n": 0, "reason": NO_BASELINE}
    mean, std = mean_std(accuracies)
    return {"mean": mean, "std": std, "n": len(accuracies), "reason": None}


def _cells(runs: list[Run], baseline: float | None) -> list[Cell]:
    groups: dict[Any, list[Run]] = defaultdict(list)
    for run in runs:
        if not is_baseline(run):
            target = run.get("target_epsilon")
            order = (run["clipping"], run["clip_norm"], run["noise_multiplier"], target or 0)
            groups[order, target].append(run)
    cells = []
    for (order, target), group in sorted(groups.items(), key=lambda item: item[0][0]):
        mean, std = mean_std([run["test_accuracy"] for run in group])
        cells.append(
            {
                **dict(zip(("clipping", "clip_norm", "noise_multiplier"), order[:3], strict=True)),
                "target_epsilon": target,
                "epsilon": hull([run["epsilon"] for run in group]),
                "mean": mean,
                "std": std,
                "n": len(group),
                "gap": None if baseline is None else baseline - mean,
            }
        )
    return cells


def _best(cells: list[Cell]) -> tuple[str, float, float, int] | None:
    """The (clipping, clip norm) of the highest mean over the noise levels, that mean, and their number.

    Only levels that every (clipping, clip norm) has are compared, if there are any: in an unfinished
    grid, a clip norm that has only its easy levels done must not win. Ties go to the smaller clip norm.
    """
    columns: dict[tuple[str, float], dict[Any, float]] = defaultdict(dict)
    for cell in cells:
        columns[cell["clipping"], cell["clip_norm"]][level(cell)] = cell["mean"]
    if not columns:
        return None
    common = set.intersection(*(set(column) for column in columns.values()))
    candidates = []
    for (clipping, clip_norm), column in columns.items():
        means = [mean for asked, mean in column.items() if asked in common or not common]
        candidates.append((-round(math.fsum(means) / len(means), 12), clip_norm, clipping, len(means)))
    mean, clip_norm, clipping, count = min(candidates)
    return clipping, clip_norm, -mean, count


def _best_clip_norms(cells: list[Cell]) -> dict[str, Any]:
    answer = {}
    for clipping in sorted({cell["clipping"] for cell in cells}):
        best = _best([cell for cell in cells if cell["clipping"] == clipping])
        assert best is not None
        answer[clipping] = {"clip_norm": best[1], "mean": best[2], "over": best[3]}
    return answer


def _cliff(cells: list[Cell], baseline: float | None) -> dict[str, Any]:
    if baseline is None:
        return {"exists": None, "threshold": None, "configurations": [], "reason": NO_BASELINE}
    threshold = CLIFF * baseline
    names = ("clipping", "clip_norm", "noise_multiplier", "target_epsilon", "epsilon", "mean")
    below = [{name: cell[name] for name in names} for cell in cells if cell["mean"] < threshold - _TINY]
    return {"exists": bool(below), "threshold": threshold, "configurations": below, "reason": None}


def _safe_region(cells: list[Cell], baseline: float | None, notes: list[str]) -> dict[str, Any]:
    """Walk down from the largest epsilon at the best clip norm while accuracy stays near the baseline's."""
    answer: dict[str, Any] = dict.fromkeys(("starts_at_epsilon", "noise_multiplier", "clip_norm", "clipping"))
    best = _best(cells)
    if baseline is None or best is None:
        reason = NO_BASELINE if baseline is None else "no private configuration was run"
        threshold = None if baseline is None else SAFE * baseline
        return {"exists": None, **answer, "threshold": threshold, "reason": reason}
    threshold = SAFE * baseline
    answer |= {"clipping": best[0], "clip_norm": best[1]}
    chosen = [cell for cell in cells if (cell["clipping"], cell["clip_norm"]) == best[:2]]
    known = [cell for cell in chosen if cell["epsilon"]["upper"] is not None]
    if len(known) < len(chosen):
        notes.append(
            f"{len(chosen) - len(known)} of {len(chosen)} configurations at {best[0]}, clip norm {best[1]:g} "
            "have no upper bound on epsilon and are left out of the safe region"
        )
    start: Cell | None = None
    for upper in sorted({number(cell["epsilon"]["upper"]) for cell in known}, reverse=True):
        same = [cell for cell in known if number(cell["epsilon"]["upper"]) == upper]
        if any(cell["mean"] < threshold - _TINY for cell in same):
            break
        if math.isfinite(upper):
            start = same[0]
    if start is None:
        share = f"keeps {SAFE:.0%} of the baseline"
        reason = f"no finite epsilon from which every larger one {share} at {best[0]}, clip norm {best[1]:g}"
        return {"exists": False, **answer, "threshold": threshold, "reason": reason}
    answer |= {
        "starts_at_epsilon": start["epsilon"]["upper"],
        "noise_multiplier": start["noise_multiplier"],
    }
    return {"exists": True, **answer, "threshold": threshold, "reason": None}


def summarise(config: dict[str, Any], runs: list[Run]) -> dict[str, Any]:
    """The summary of a sweep, whole or not, as written to summary.json (schema sweep-summary)."""
    baseline = _baseline(runs)
    cells = _cells(runs, baseline["mean"])
    notes: list[str] = []
    expected = expected_keys(config)
    missing = len(set(expected) - set(map(run_key, runs)))
    if missing:
        notes.append(f"{missing} of {len(expected)} runs are missing: the sweep is not finished")
    safe_region = _safe_region(cells, baseline["mean"], notes)
    setting = ("dataset", "model", "sampling", "neighboring", "delta", "seeds")
    return {
        "schema": SCHEMA,
        "setting": {
            **{name: config[name] for name in setting},
            **{name: config[name] for name in CHOICES if name in config},
        },
        "runs": {"done": len(runs), "expected": len(expected)},
        "baseline": baseline,
        "cells": cells,
        "best_clip_norm": _best_clip_norms(cells),
        "privacy_cliff": _cliff(cells, baseline["mean"]),
        "safe_region": safe_region,
        "notes": notes,
        "selection_note": SELECTION_NOTE,
    }
