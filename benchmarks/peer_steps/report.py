"""Rows -> figures: ratios with intervals, tables in markdown, and the JSON answer."""

from __future__ import annotations

import os
import platform
import statistics
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from clipping_overhead import interval

from peer_steps.cell import FEWEST, Row

_MB = 1e6


def present(rows: dict[str, Row]) -> list[str]:
    """refdp's modes that took part."""
    return [name for name, row in rows.items() if name.startswith("refdp ") and row.turns]


def ratio(mode: Row, other: Row) -> dict[str, float | None]:
    """How many times faster than the other: the median over rounds, and its interval where there are enough."""
    found = np.array(other.turns) / np.array(mode.turns)
    low, middle, high = interval(found)
    enough = len(found) >= FEWEST
    return {"median": middle, "low": low if enough else None, "high": high if enough else None}


def figures(rows: dict[str, Row], batch: int) -> dict[str, Any]:
    """What JSON holds of a cell."""
    return {name: _one(name, row, rows, batch) for name, row in rows.items()}


def _one(name: str, row: Row, rows: dict[str, Row], batch: int) -> dict[str, Any]:
    if not row.turns:
        return {"absent": row.absent}
    against = {}
    for mode in present(rows):
        if mode != name:
            against[mode] = ratio(rows[mode], row)
    return {
        "absent": None,
        "setting": row.setting,
        "samples_per_second": batch / statistics.median(row.turns),
        "best_samples_per_second": batch / row.best,
        "times_faster": against,
        "peak_memory_bytes": row.peak,
        "memory_of_imports_bytes": row.imports,
        "idle_share_of_a_core": row.idle,
        "parameters": row.parameters,
        "versions": row.versions,
        "rounds": len(row.turns),
        "seconds_of_a_step_by_round": row.turns,
    }


def table(model: str, batch: int, others: float, cell: dict[str, Any]) -> str:
    """One cell in markdown. A refdp mode's column says how many times faster it is than the row."""
    modes = [name for name in cell if name.startswith("refdp ") and not cell[name]["absent"]]
    rounds = max((one.get("rounds", 0) for one in cell.values()), default=0)
    heads = [
        "contender",
        "samples/s, median",
        "best",
        *(f"{mode} / it" for mode in modes),
        "peak MB",
        "imports MB",
    ]
    lines = [
        f"### {model}, batch {batch}",
        "",
        f"{rounds} rounds; ratios are medians over rounds with 95 % intervals. Other processes took "
        f"{others:.1%} of the cores meanwhile.",
        "",
        "| " + " | ".join(heads) + " |",
        "|" + "---|" * len(heads),
    ]
    for name, one in cell.items():
        if one["absent"]:
            cells = [name, one["absent"].replace("|", "/"), *["-"] * (len(heads) - 2)]
        else:
            ratios = [_ratio_text(one["times_faster"].get(mode)) for mode in modes]
            memory = [f"{one[key] / _MB:,.0f}" for key in ("peak_memory_bytes", "memory_of_imports_bytes")]
            speeds = [_speed(one[key]) for key in ("samples_per_second", "best_samples_per_second")]
            shown = f"{name} ({one['setting']})" if one["setting"] else name
            cells = [shown, *speeds, *ratios, *memory]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _speed(value: float) -> str:
    return f"{value:,.1f}" if value < 100 else f"{float(f'{value:.3g}'):,.0f}"


def _ratio_text(found: dict[str, float | None] | None) -> str:
    if found is None:
        return "-"
    if found["low"] is None:
        return f"{found['median']:.2f} (too few rounds)"
    return f"{found['median']:.2f} ({found['low']:.2f} to {found['high']:.2f})"


def machine() -> dict[str, Any]:
    """What this was measured on, and when."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": len(os.sched_getaffinity(0)),
        "processor": names[0] if names else platform.machine(),
        "system": f"{platform.system()} {platform.machine()}",
    }
