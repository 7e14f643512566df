"""How long s1's sweep takes here, beside its published program: python benchmarks/s1.py [REPEATS]

Every timing is a process of its own, started cold; the kinds take turns, and the best and the median of the repeats
are given. Rewrites the part of docs/s1.md between ``<!-- table times -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

PAGE = Path(__file__).resolve().parents[1] / "docs" / "s1.md"
PUBLISHED_TRAINING, PUBLISHED_WHOLE = 92.9, 98.0
"""Seconds of s1's run.py with torch 2.13.0 (CPU, one thread, as its code sets) on such a machine, imports left out of
the first and pictures in the second."""

REPLAY = """
import time
from refdp.replay.s1 import replay
begun = time.perf_counter()
replay()
print(time.perf_counter() - begun)
"""
SWEEP = """
import sys, time
from concurrent.futures import ProcessPoolExecutor
import multiprocessing
from refdp.sweep.grid import make_grid
from refdp.sweep.levels import solve_levels
from refdp.sweep.runner import run_grid, run_one
if __name__ == "__main__":
    runs, bounds = solve_levels(make_grid({}).runs())
    begun, way = time.perf_counter(), sys.argv[1]
    if way == "batches":
        list(run_grid(runs, bounds, 2))
    elif way == "1":
        list(map(run_one, runs))
    else:
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
            list(pool.map(run_one, runs))
    print(time.perf_counter() - begun)
"""
KINDS = {
    "`sweep --replay s1`, training": (REPLAY, "", PUBLISHED_TRAINING),
    "`sweep --replay s1`, whole command": (None, "--replay s1", PUBLISHED_WHOLE),
    "`sweep`, training: batches of models": (SWEEP, "batches", None),
    "`sweep`, training: one by one, one process": (SWEEP, "1", None),
    "`sweep`, training: one by one, two processes": (SWEEP, "2", None),
    "`sweep`, whole command": (None, "", None),
}


def seconds(program: str | None, arguments: str, folder: Path) -> float:
    """One cold process: what the program prints, or the wall time of the command."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "MPLCONFIGDIR": str(folder.parent)}
    if program is not None:
        script = folder.with_suffix(".py")
        script.write_text(program)
        command = [sys.executable, str(script), *arguments.split()]
        return float(
            subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
        )
    run = "from refdp.cli import main; main()"
    command = [sys.executable, "-c", run, "sweep", *arguments.split(), "--output", str(folder), "--quiet"]
    begun = time.perf_counter()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return time.perf_counter() - begun


def table(repeats: int) -> str:
    """The table, after one untimed round (files in the system's cache, matplotlib's list of fonts)."""
    times: dict[str, list[float]] = {name: [] for name in KINDS}
    with tempfile.TemporaryDirectory() as place:
        for i in range(repeats + 1):
            for k, (name, (program, arguments, _)) in enumerate(KINDS.items()):
                took = seconds(program, arguments, Path(place) / f"{i}-{k}")
                times[name] += [took] * bool(i)
    lines = [
        "| what | median, s | best, s | published program, s | times faster (median) |",
        "|---|---|---|---|---|",
    ]
    for name, (_, _, published) in KINDS.items():
        median = statistics.median(times[name])
        beside = f"{published:g} | **{published / median:.0f}**" if published else "- | -"
        lines.append(f"| {name} | {median:.2f} | {min(times[name]):.2f} | {beside} |")
    machine = f"{os.cpu_count()} cores, python {platform.python_version()}, numpy {np.__version__}"
    return "\n".join([*lines, "", f"{machine}; {repeats} repeats."])


def main() -> None:
    """Measure, print, rewrite the page."""
    found = table(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
    print(found)
    text = PAGE.read_text(encoding="utf-8")
    pattern = re.compile(r"(<!-- table times -->\n).*?(\n<!-- end -->)", re.S)
    PAGE.write_text(pattern.sub(lambda m: m[1] + found + m[2], text), encoding="utf-8")


if __name__ == "__main__":
    main()
