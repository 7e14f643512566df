"""What a run of so many steps could have shown: how soon each other sampler would have been told.

Each is played once with the same number of records and the same mean batch, and tested at growing numbers of steps. A
figure of one simulation each: it says what is within reach, and no bound rests on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from refdp.audit.sampling.batches import Batches

Draws = Iterator[np.ndarray]
_FURTHEST = 2**16
"""Steps, and of draws a few million, beyond which no run is played."""
_DRAWS = 2**22


@dataclass(frozen=True)
class Power:
    """Of one other sampler.

    Attributes:
        sampler: its name.
        steps_needed: the least of 1, 2, 3, 4, 6, 8, 12, ... steps at which it was told; None where that was beyond
            ``tried``.
        tried: the largest number of steps played.
        log_e: logarithm of the e-value that it reached at the last number played that is no longer than the run.
    """

    sampler: str
    steps_needed: int | None
    tried: int
    log_e: float


def power(batches: Batches, log_e: Callable[[Batches], float], level: float, seed: int = 0) -> list[Power]:
    """How soon ``log_e`` reaches log(1 / level) on other samplers of the same size; none where all records, or none,
    are drawn at each step."""
    size = round(len(batches.indices) / batches.steps)
    if not 1 <= size < batches.dataset_size:
        return []
    return [
        _needed(name, make(batches.dataset_size, size, np.random.default_rng(seed)), batches, log_e, level)
        for name, make in OTHERS.items()
    ]


def _needed(
    name: str, draws: Draws, batches: Batches, log_e: Callable[[Batches], float], level: float
) -> Power:
    size = max(1, len(batches.indices) // batches.steps)
    furthest = max(2, min(_FURTHEST, _DRAWS // size, 4 * batches.steps + 64))
    rows: list[np.ndarray] = []
    reached = 0.0
    for steps in _grid(furthest):
        rows += islice(draws, steps - len(rows))
        found = log_e(Batches.of(rows, batches.dataset_size))
        if steps <= batches.steps or steps == 1:
            reached = found
        if found >= math.log(1 / level):
            return Power(name, steps, steps, reached)
    return Power(name, None, len(rows), reached)


def _grid(furthest: int) -> Iterator[int]:
    """1, 2, 3, 4, 6, 8, 12, ..."""
    yield 1
    step = 2
    while step <= furthest:
        yield step
        if step * 3 // 2 <= furthest and step > 1:
            yield step * 3 // 2
        step *= 2


def _shuffle(records: int, size: int, rng: np.random.Generator) -> Draws:
    while True:
        order = rng.permutation(records)
        yield from (order[k : k + size] for k in range(0, records, size))


def _without_replacement(records: int, size: int, rng: np.random.Generator) -> Draws:
    while True:
        yield rng.choice(records, size, replace=False)


def _fixed_order(records: int, size: int, rng: np.random.Generator) -> Draws:
    order = rng.permutation(records)
    while True:
        yield from (order[k : k + size] for k in range(0, records, size))


def _balls_and_bins(records: int, size: int, rng: np.random.Generator) -> Draws:
    bins = -(-records // size)
    while True:
        chosen = rng.integers(0, bins, records)
        yield from (np.flatnonzero(chosen == k) for k in range(bins))


def _never_twice_running(records: int, size: int, rng: np.random.Generator) -> Draws:
    """Independent coins, but for records of the step before."""
    before = np.zeros(records, dtype=bool)
    while True:
        drawn = (rng.random(records) < size / max(records - size, size)) & ~before
        yield np.flatnonzero(drawn)
        before = drawn


OTHERS: dict[str, Callable[[int, int, np.random.Generator], Draws]] = {
    "shuffle": _shuffle,
    "fixed-order": _fixed_order,
    "without-replacement": _without_replacement,
    "balls-and-bins": _balls_and_bins,
    "never-twice-running": _never_twice_running,
}
