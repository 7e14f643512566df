"""Neighbouring batches whose releases are further apart than declared: generated, climbed, cut down.

G1. What is called a violation was measured beyond rounding (the subject's own precision) on that very pair.
G2. A release that is not finite, or fails, for one of two neighbouring batches is an infinite movement.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np

from refdp.audit.mechanism.batches import Pair, mutate, probes, random_pair
from refdp.audit.mechanism.bench import Batch, Bench, Release
from refdp.audit.mechanism.cut import cut_down
from refdp.audit.mechanism.finding import Finding, batch_of, named
from refdp.errors import RefDPError

NAME, FAILURE = "shift", "failure"
SLACK = 1e-6
CHUNK, LEAST = 48, 240
QUIET = 1e-7  # noise multiplier for searching where noise cannot be frozen
REPEATS = 1500  # releases averaged where noise cannot be frozen
DEVIATIONS = 6.0


def factors(bench: Bench, pairs: Sequence[tuple[Batch, Batch]]) -> list[float]:
    """How far apart, as a multiple of what is declared; a lower bound on it where the noise was averaged away."""
    seeds = [11] if bench.frozen else list(range(100, 100 + REPEATS))
    flat = [batch for pair in pairs for batch in pair]
    told = bench.releases(flat, seeds)
    return [_factor(bench, told[2 * i], told[2 * i + 1], len(pairs[i][0][0])) for i in range(len(pairs))]


def quiet_factors(bench: Bench, pairs: Sequence[tuple[Batch, Batch]]) -> list[float]:
    """The same with hardly any noise: no measurement of what was declared, but where to look."""
    told = bench.releases([batch for pair in pairs for batch in pair], [11], QUIET)
    found = []
    for i, (batch, _) in enumerate(pairs):
        factor = _factor(bench, told[2 * i], told[2 * i + 1], len(batch[0]))
        size = sum(int(np.prod(array.shape[1:])) for array in batch)
        found.append(factor - 8 * QUIET * math.sqrt(size))
    return found


def _factor(bench: Bench, first: list[Release], second: list[Release], records: int) -> float:
    fails = [[one.output is None for one in side] for side in (first, second)]
    if all(map(all, fails)):
        return 0.0  # it refuses both alike
    if any(map(any, fails)):
        return math.inf
    a, b = (np.stack([one.output for one in side if one.output is not None]) for side in (first, second))
    finite = np.isfinite(a).all(), np.isfinite(b).all()
    if not all(finite):
        return 0.0 if not any(finite) and np.array_equal(np.isnan(a), np.isnan(b)) else math.inf
    scale = bench.settings.scale(records)
    bound = first[0].sensitivity * bench.settings.moves
    if len(a) == 1:
        allowed = 4 * max(first[0].eps, second[0].eps) * (length(a[0]) + length(b[0]))
        moved = max(length(a[0] - b[0]) - allowed, 0.0)
    else:
        moved = averaged(a, b)
    return moved * scale / bound if bound > 0 else (math.inf if moved > 0 else 0.0)


def averaged(a: np.ndarray, b: np.ndarray) -> float:
    """How far apart the means of two samples [n, d] are, at least (``DEVIATIONS`` standard errors less)."""
    half = len(a) // 2
    way = a[:half].mean(0) - b[:half].mean(0)
    far = length(way)
    if far == 0:
        return 0.0
    along_a, along_b = a[half:] @ (way / far), b[half:] @ (way / far)
    error = math.sqrt((along_a.var(ddof=1) + along_b.var(ddof=1)) / (len(a) - half))
    return max(float(along_a.mean() - along_b.mean()) - DEVIATIONS * error, 0.0)


def length(x: np.ndarray) -> float:
    """The norm, also of numbers whose squares overflow."""
    top = float(np.abs(x).max(initial=0.0))
    return top * float(np.linalg.norm(x / top)) if 0 < top < math.inf else top


def search(bench: Bench, rng: np.random.Generator, until: float, fewest: int) -> tuple[list[Finding], int]:
    """(the worst violations found: a movement, a failure; how many pairs were tried)."""
    hunt = _Hunt(bench, rng, fewest)
    for probe in probes(rng, bench.settings.relation, fewest):
        if hunt.infinite is None:
            hunt.look([probe])
    hunt.special = hunt.infinite is None
    while time.monotonic() < until:
        try:
            hunt.look(hunt.candidates())
        except RefDPError:  # it dies too often
            if hunt.infinite is None:
                raise
            break
        if hunt.tried >= LEAST and hunt.worst and hunt.worst[0][0] > 1 + SLACK:
            until = min(until, time.monotonic() + 0.2)  # found: climb a little further
        elif hunt.tried >= LEAST and hunt.infinite is not None:
            break
    found = []
    if hunt.worst and hunt.worst[0][0] > 1 + SLACK:
        found.append(_finding(bench, *hunt.worst[0], fewest))
    if hunt.infinite is not None:
        found.append(_finding(bench, math.inf, hunt.infinite, fewest))
    return found, hunt.tried


class _Hunt:
    """The worst pairs so far, and where to look next."""

    def __init__(self, bench: Bench, rng: np.random.Generator, fewest: int) -> None:
        self.bench, self.rng, self.fewest = bench, rng, fewest
        self.worst: list[tuple[float, Pair]] = []
        self.infinite: Pair | None = None
        self.special, self.tried = True, 0

    def candidates(self) -> list[Pair]:
        """New pairs, or small changes of the worst."""
        s, rng = self.bench.settings, self.rng
        if self.worst and self.tried > LEAST and rng.random() < 0.4:
            seeds = [self.worst[int(i)][1] for i in rng.integers(len(self.worst), size=CHUNK)]
            return [p for p in (mutate(rng, one, s.relation) for one in seeds) if len(p.rows) >= self.fewest]
        arguments = (s.relation, s.clip_norm, s.batch_size, self.fewest, self.special)
        return [random_pair(rng, *arguments) for _ in range(CHUNK)]

    def look(self, pairs: list[Pair]) -> None:
        """Measure them."""
        measure = factors if self.bench.frozen else quiet_factors
        got = measure(self.bench, [(p.batch, p.neighbour) for p in pairs])
        self.tried += len(pairs)
        for factor, pair in zip(got, pairs, strict=True):
            if not math.isinf(factor):
                self.worst.append((factor, pair))
            elif self.infinite is None:
                self.infinite = pair
        self.worst = sorted(self.worst, key=lambda one: -one[0])[:8]


def _finding(bench: Bench, factor: float, pair: Pair, fewest: int) -> Finding:
    seen = factors if bench.frozen else quiet_factors
    factor, pair = cut_down(lambda tried: seen(bench, tried), factor, pair, fewest, 1 + SLACK)
    if not bench.frozen:
        factor = factors(bench, [(pair.batch, pair.neighbour)])[0]
    batch, neighbour = pair.batch, pair.neighbour
    moves = bench.settings.moves
    how = (
        "replacing"
        if bench.settings.relation == "replace-one"
        else ("removing" if pair.other is None else "zeroing out")
    )
    if math.isinf(factor):
        why = _why_infinite(bench, batch, neighbour)
        what = f"{how} one of {len(pair.rows)} records {why}"
    else:
        what = f"{how} one of {len(pair.rows)} records moves the sum by {factor * moves:.6g} C, declared {moves:g} C"
    return Finding(
        FAILURE if math.isinf(factor) else NAME,
        what,
        factor * moves,
        moves,
        factor,
        0,
        {**named("batch", batch), **named("neighbour", neighbour)},
        {"frozen": bench.frozen},
    )


def _why_infinite(bench: Bench, batch: Batch, neighbour: Batch) -> str:
    for side in bench.releases([batch, neighbour], [11]):
        if side[0].error is not None:
            return f"decides whether the step fails: {side[0].error}"
    return "decides whether the release is finite"


def measure(bench: Bench, finding: Finding) -> float:
    """The factor, measured again."""
    return factors(bench, [(batch_of(finding, "batch"), batch_of(finding, "neighbour"))])[0]
