"""State that carries a record into a later step without noise: found with the later step's noise frozen.

The first step is played under several seeds, the second always under the same one. What the second releases must not
depend on the first batch while it does not depend on the first step's noise.
"""

from __future__ import annotations

import math

import numpy as np

from refdp.audit.mechanism.batches import Shapes, neighbour_of, split
from refdp.audit.mechanism.bench import Batch, Bench, Call, Release
from refdp.audit.mechanism.finding import Finding, batch_of, named

NAME = "state"
PAIRS = 24
SHAPES: Shapes = ((2, 3), (4,))
FIRST, SECOND = (31, 32, 33), 34


def check(bench: Bench, rng: np.random.Generator) -> Finding | None:
    """The first pair of batches that shows it."""
    if not bench.frozen:
        return None
    s, size = bench.settings, 10
    worst = 1.0
    found: Finding | None = None
    for _ in range(PAIRS):
        rows = rng.standard_normal((s.batch_size + 1, size))
        rows *= (
            s.clip_norm
            * 10 ** rng.uniform(-1, 1, (len(rows), 1))
            / np.linalg.norm(rows, axis=1, keepdims=True)
        )
        pair = neighbour_of(rng, s.relation, s.clip_norm, SHAPES, rows, 0)
        later = split(SHAPES, np.tile(10 * s.clip_norm * np.eye(size)[0], (s.batch_size, 1)))
        factor = carried(bench, pair.batch, pair.neighbour, later)
        if factor > worst:
            worst = factor
            arrays = {
                **named("batch", pair.batch),
                **named("neighbour", pair.neighbour),
                **named("later", later),
            }
            what = "one record changes what the next step releases, and no noise is between them"
            found = Finding(NAME, what, factor, 1.0, factor, 1, arrays, {})
    return found


def carried(bench: Bench, batch: Batch, neighbour: Batch, later: Batch) -> float:
    """sqrt(1 + f^2), f the movement of the later sum in sensitivities; 1 where nothing is carried without noise."""
    played = bench.play([([Call(one), Call(later, 1, 0, SECOND)], FIRST) for one in (batch, neighbour)])
    if any(len(run) < 2 or not _finite(run[1]) for side in played for run in side):
        return 1.0
    (a, *others), (b, *more) = ([run[1] for run in side] for side in played)
    assert a.output is not None
    assert b.output is not None
    for same, rest in ((a, others), (b, more)):
        if any(not np.array_equal(same.output, one.output) for one in rest):  # type: ignore[arg-type]
            return 1.0
    eps = max(a.eps, b.eps) * 8 * float(np.abs(a.output).max() + np.abs(b.output).max())
    moved = float(np.linalg.norm(a.output - b.output))
    if moved <= eps * math.sqrt(len(a.output)) or a.sensitivity <= 0:
        return 1.0
    return math.hypot(1.0, moved * bench.settings.scale(len(later[0])) / a.sensitivity)


def _finite(one: Release) -> bool:
    return one.output is not None and bool(np.isfinite(one.output).all())


def measure(bench: Bench, finding: Finding) -> float:
    """The factor, measured again."""
    return carried(bench, *(batch_of(finding, name) for name in ("batch", "neighbour", "later")))
