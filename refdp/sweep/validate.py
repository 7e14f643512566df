"""Check a finished sweep directory: its files, its grid, its numbers, its pictures, its summary.

Every check runs whatever the others found; a check that cannot be made because of a broken file fails.
"""

from __future__ import annotations

import math
import os
import struct
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from refdp.errors import RefDPError
from refdp.sweep import records
from refdp.sweep.pictures import pictures_of
from refdp.sweep.recheck import recheck
from refdp.sweep.records import (
    CHOICES,
    RESULTS,
    RUNS,
    SUMMARY,
    TABLE,
    Run,
    is_baseline,
    number,
    read_json,
    run_name,
)
from refdp.sweep.summary import mean_std, summarise

LEAST_BASELINE = 0.5
_PNG, _END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_LEAST_BYTES, _LEAST_PIXELS = 4000, 200


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: its name, whether it holds, and what was found."""

    name: str
    passed: bool
    detail: str


class _Failed(Exception):
    """What a check found wrong."""


@dataclass(frozen=True)
class _Sweep:
    directory: Path

    def results(self) -> Any:
        return read_json(self.directory / RESULTS)

    def config(self) -> dict[str, Any]:
        config: dict[str, Any] = self.results()["config"]
        return config

    def runs(self) -> list[Run]:
        runs: list[Run] = self.results()["runs"]
        return runs


def _some(wrong: list[str]) -> str:
    return "; ".join(wrong[:3]) + (f"; and {len(wrong) - 3} more" if len(wrong) > 3 else "")


def _files(sweep: _Sweep) -> str:
    names = (RESULTS, SUMMARY, TABLE, RUNS)
    missing = [name for name in names if not (sweep.directory / name).is_file()]
    if missing:
        raise _Failed(f"missing: {', '.join(missing)}")
    return ", ".join(names)


def _results_schema(sweep: _Sweep) -> str:
    results = sweep.results()
    records.check_schema("sweep-results", results, RESULTS)
    return f"{len(results['runs'])} runs"


def _summary_schema(sweep: _Sweep) -> str:
    summary = read_json(sweep.directory / SUMMARY)
    records.check_schema("sweep-summary", summary, SUMMARY)
    return f"{len(summary['cells'])} configurations"


def _run_lines(sweep: _Sweep) -> str:
    lines, runs = records.read_runs(sweep.directory / RUNS), sweep.runs()
    if sorted(map(repr, map(_sorted, lines))) != sorted(map(repr, map(_sorted, runs))):
        raise _Failed(f"the {len(lines)} runs of {RUNS} are not the {len(runs)} runs of {RESULTS}")
    return f"{len(lines)} lines, the runs of {RESULTS}"


def _sorted(value: Any) -> Any:
    return {key: _sorted(value[key]) for key in sorted(value)} if isinstance(value, dict) else value


def _csv(sweep: _Sweep) -> str:
    found = (sweep.directory / TABLE).read_text("utf-8").splitlines()
    wanted = records.csv_text(sweep.runs()).splitlines()
    if found != wanted:
        lines = range(max(len(found), len(wanted)))
        first = next(i for i in lines if found[i : i + 1] != wanted[i : i + 1])
        raise _Failed(f"line {first + 1} of {TABLE} is not what {RESULTS} says")
    return f"{len(found) - 1} rows, the runs of {RESULTS}"


def _coverage(sweep: _Sweep) -> str:
    wanted, found = (
        Counter(records.expected_keys(sweep.config())),
        Counter(map(records.run_key, sweep.runs())),
    )
    problems = {"missing": wanted - found, "not asked for or run twice": found - wanted}
    wrong = [
        f"{sum(keys.values())} {what}, such as {next(iter(keys))}" for what, keys in problems.items() if keys
    ]
    if wrong:
        raise _Failed(_some(wrong))
    return f"all {len(wanted)} runs of the grid, each once"


def _setting(sweep: _Sweep) -> str:
    config = {**CHOICES, **sweep.config()}
    names = ("dataset", "model", "sampling", "neighboring", "delta")
    wrong = [
        f"{run_name(run)}: {name} = {run[name]!r}, not {config[name]!r}"
        for run in sweep.runs()
        for name in (*(names[:2] if is_baseline(run) else names), *CHOICES)
        if name in run and run[name] != config[name]
    ]
    if wrong:
        raise _Failed(_some(wrong))
    return ", ".join(f"{config[name]}" for name in (*names, *CHOICES) if config[name] is not None)


def _accuracies(sweep: _Sweep) -> str:
    values = {run_name(run): number(run["test_accuracy"]) for run in sweep.runs()}
    wrong = [f"{name}: {value!r}" for name, value in values.items() if not 0 <= value <= 1]
    if wrong or not values:
        raise _Failed(_some(wrong) or "no runs")
    return f"from {min(values.values()):.3f} to {max(values.values()):.3f}"


def _bounds(sweep: _Sweep) -> str:
    wrong, known = [], 0
    for run in sweep.runs():
        lower, upper = run["epsilon"]["lower"], run["epsilon"]["upper"]
        if is_baseline(run) and (lower, upper) != ("inf", "inf"):
            wrong.append(f"{run_name(run)}: epsilon is not infinite")
        if lower is not None and upper is not None:
            known += 1
            if not 0 <= number(lower) <= number(upper):
                wrong.append(f"{run_name(run)}: lower {lower} > upper {upper}")
    if wrong:
        raise _Failed(_some(wrong))
    return f"lower <= upper in all {known} runs that have both"


def _order(sweep: _Sweep) -> str:
    """Strictly falling upper bounds, until they are 0; lower ones may stay the same, where they are of no use."""
    groups: dict[Any, dict[float, set[Any]]] = defaultdict(lambda: defaultdict(set))
    for run in sweep.runs():
        if not is_baseline(run):
            key = (run["delta"], run["sampling"], run.get("neighboring"), run["clipping"], run.get("steps"))
            groups[key][run["noise_multiplier"]].add((run["epsilon"]["lower"], run["epsilon"]["upper"]))
    wrong = []
    for levels in groups.values():
        wrong += [
            f"several epsilons at noise multiplier {noise:g}" for noise in levels if len(levels[noise]) > 1
        ]
        for side in (0, 1):
            pairs = [(noise, next(iter(levels[noise]))[side]) for noise in sorted(levels)]
            series = [(noise, number(value)) for noise, value in pairs if value is not None]
            for (less, high), (more, low) in pairwise(series):
                falls = high > low or (high == low and (side == 0 or math.isinf(high) or high == 0))
                if not falls:
                    name = ("lower", "upper")[side]
                    wrong.append(f"{name} bound {high:g} at noise multiplier {less:g}, {low:g} at {more:g}")
    if wrong:
        raise _Failed(_some(wrong))
    return f"falls as noise grows, over {max((len(levels) for levels in groups.values()), default=0)} levels"


def _recomputed(sweep: _Sweep) -> str:
    wrong = recheck(sweep.config(), sweep.runs())
    if wrong:
        raise _Failed(_some(wrong))
    return "every run's bounds are those of its own plan's ledger"


def _baseline(sweep: _Sweep) -> str:
    accuracies = [run["test_accuracy"] for run in sweep.runs() if is_baseline(run)]
    if not accuracies:
        if sweep.config()["baselines"]:
            raise _Failed("no baseline was run")
        return "none was asked for"
    mean, _ = mean_std(accuracies)
    if not mean > LEAST_BASELINE:
        raise _Failed(f"mean accuracy {mean:.3f}: must be > {LEAST_BASELINE:g}, or there is nothing to lose")
    return f"mean accuracy {mean:.3f}"


def _pictures(sweep: _Sweep) -> str:
    wrong = []
    names = pictures_of(sweep.config())
    for name in names:
        path = sweep.directory / name
        content = path.read_bytes() if path.is_file() else None
        if content is None:
            wrong.append(f"{name} is missing")
        elif not (content.startswith(_PNG) and content[12:16] == b"IHDR" and content.endswith(_END)):
            wrong.append(f"{name} is not a whole PNG")
        elif len(content) < _LEAST_BYTES or min(struct.unpack(">II", content[16:24])) < _LEAST_PIXELS:
            wrong.append(f"{name} is too small to be a picture of a sweep")
    if wrong:
        raise _Failed(_some(wrong))
    return ", ".join(names)


def _same(one: Any, other: Any, place: str = "") -> str | None:
    """The first place at which two JSON documents differ by more than rounding."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return next(filter(None, (_same(one[key], other[key], f"{place}.{key}") for key in one)), None)
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return next(filter(None, (_same(a, b, f"{place}[{i}]") for i, (a, b) in pairs)), None)
    if type(one) is type(other) is float and math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12):
        return None
    return None if one == other else place.lstrip(".") or "everything"


def _summary(sweep: _Sweep) -> str:
    place = _same(read_json(sweep.directory / SUMMARY), summarise(sweep.config(), sweep.runs()))
    if place is not None:
        raise _Failed(f"{SUMMARY} differs from what the runs say, first at {place}")
    return f"{SUMMARY} is what the runs say"


CHECKS: dict[str, Callable[[_Sweep], str]] = {
    "files": _files,
    "results schema": _results_schema,
    "summary schema": _summary_schema,
    "runs": _run_lines,
    "csv": _csv,
    "coverage": _coverage,
    "setting": _setting,
    "accuracy": _accuracies,
    "epsilon bounds": _bounds,
    "epsilon order": _order,
    "epsilon recomputed": _recomputed,
    "baseline": _baseline,
    "pictures": _pictures,
    "summary": _summary,
}


def validate(directory: str | os.PathLike[str]) -> list[Check]:
    """Every check of a sweep directory, in the order of CHECKS. RefDPError if it is not one at all."""
    sweep = _Sweep(Path(directory))
    if not any((sweep.directory / name).is_file() for name in (RESULTS, RUNS, SUMMARY)):
        raise RefDPError(
            f"{directory}: not a sweep directory (no {RESULTS}, {RUNS} or {SUMMARY} in it); "
            "give the --output of a sweep"
        )
    checks = []
    for name, check in CHECKS.items():
        try:
            checks.append(Check(name, True, check(sweep)))
        except (_Failed, RefDPError) as error:
            checks.append(Check(name, False, str(error)))
        except (LookupError, ArithmeticError, TypeError, ValueError, AttributeError, OSError) as error:
            detail = f"cannot be checked: {type(error).__name__} {error}".replace("\n", " ")
            checks.append(Check(name, False, detail))
    return checks
