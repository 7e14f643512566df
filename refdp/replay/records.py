"""A replay as a sweep: its runs as lines of runs.jsonl, and its table beside what the program claimed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from refdp.accounting import Bounds
from refdp.config import RunConfig
from refdp.replay.published import CLAIMED_EPSILON, published_hits
from refdp.replay.s1 import Run, replay
from refdp.sweep.levels import Cost, cost_key
from refdp.sweep.records import Run as Record
from refdp.sweep.rows import cells_at, epsilon_of, norms, rows
from refdp.sweep.runner import record_of
from refdp.sweep.words import accuracy_text, epsilon_text

WARNING = (
    "s1's seeds are published: whoever has one draws the noise again and subtracts it. What is replayed here is\n"
    "private towards nobody, whatever its epsilon: for research only."
)


def replay_grid(runs: list[RunConfig], bounds: Mapping[Cost, Bounds]) -> Iterator[Record]:
    """The records of these runs of s1's grid, trained together; ``bounds`` as in ``refdp.sweep.runner.run_grid``."""
    if not runs:
        return
    begun = time.perf_counter()
    with threadpool_limits(1, user_api="blas"), np.errstate(all="ignore"):
        hits, _ = replay(Run(float(c.noise_multiplier or 0), c.clip_norm, c.seed or 0) for c in runs)
    seconds = (time.perf_counter() - begun) / len(runs)
    for config, count in zip(runs, hits, strict=True):
        bound = None if config.clipping is None else bounds[cost_key(config)]
        claimed = CLAIMED_EPSILON.get(config.noise_multiplier or 0.0)
        yield {**record_of(config, bound, count / 100, seconds), "claimed_epsilon": claimed}


def comparison(records: list[Record]) -> dict[str, Any]:
    """How many accuracies are those of the published program."""
    published = published_hits()
    same = sum(
        round(100 * record["test_accuracy"])
        == published[record["noise_multiplier"], record["clip_norm"], record["seed"]]
        for record in records
    )
    return {"name": "s1", "compared": len(records), "identical": same}


def replay_table(summary: dict[str, Any], found: dict[str, Any]) -> str:
    """Accuracy of each cell beside the epsilon that was claimed for it and the one that it has."""
    lines = [["noise multiplier", "claimed epsilon", "true epsilon", *(f"C = {c:g}" for c in norms(summary))]]
    for row in rows(summary):
        cells = cells_at(summary, row)
        claimed, true = f"{CLAIMED_EPSILON[row[1]]:#.3g}", epsilon_text(epsilon_of(cells))
        lines.append([f"{row[1]:g}", claimed, true, *(accuracy_text(cell) for cell in cells)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = ["   ".join(t.rjust(w) for t, w in zip(line, widths, strict=True)) for line in lines]
    caption = [
        f"{found['identical']} of {found['compared']} accuracies are the published program's, to the last record",
        "claimed: by the program, at delta = 1e-5, as if batches were drawn at random",
        "true: lower-upper bound of what it runs, fixed-order batches, at delta = 1e-5, zero-out",
        f"without privacy: {accuracy_text(summary['baseline'])}",
        WARNING,
    ]
    return "\n".join(
        ["s1's program replayed: test accuracy, mean ± std over seeds", "", *table, "", *caption]
    )
