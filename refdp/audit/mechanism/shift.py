"""Neighbouring batches whose releases are further apart than declared: generated, climbed, cut down.

G1. What is called a violation was measured beyond rounding (the subject's own precision) on that very pair.
G2. A release that is not finite, or fails, for one of two neighbouring batches is an infinite movement.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np

from refdp.audit.mechanism.batches import Pair, mutate, random_pair, smaller
from refdp.audit.mechanism.bench import Batch, Bench, Release
from refdp.audit.mechanism.finding import Finding, batch_of, named

NAME, FAILURE = "shift", "failure"
SLACK = 1e-6
CHUNK = 48
REPEATS = 256  # releases averaged where noise cannot be frozen
DEVIATIONS = 6.0


def factors(bench: Bench, pairs: Sequence[tuple[Batch, Batch]]) -> list[float]:
    """How far apart, as a multiple of what is declared; a lower bound on it where the noise was averaged away."""
    seeds = [11] if bench.frozen else list(range(100, 100 + REPEATS))
    flat = [batch for pair in pairs for batch in pair]
    told = bench.releases(flat, seeds)
    return [_factor(bench, told[2 * i], told[2 * i + 1], len(pairs[i][0][0])) for i in range(len(pairs))]


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
        allowed = 4 * max(first[0].eps, second[0].eps) * (_length(a[0]) + _length(b[0]))
        moved = max(_length(a[0] - b[0]) - allowed, 0.0)
    else:
        moved = _averaged(a, b)
    return moved * scale / bound if bound > 0 else (math.inf if moved > 0 else 0.0)


def _averaged(a: np.ndarray, b: np.ndarray) -> float:
    half = len(a) // 2
    way = a[:half].mean(0) - b[:half].mean(0)
    length = _length(way)
    if length == 0:
        return 0.0
    along_a, along_b = a[half:] @ (way / length), b[half:] @ (way / length)
    error = math.sqrt((along_a.var(ddof=1) + along_b.var(ddof=1)) / (len(a) - half))
    return max(float(along_a.mean() - along_b.mean()) - DEVIATIONS * error, 0.0)


def _length(x: np.ndarray) -> float:
    top = float(np.abs(x).max(initial=0.0))
    return top * float(np.linalg.norm(x / top)) if 0 < top < math.inf else top


def search(bench: Bench, rng: np.random.Generator, until: float) -> tuple[list[Finding], int]:
    """(the worst violations found: a movement, a failure; how many pairs were tried)."""
    settings, tried = bench.settings, 0
    worst: list[tuple[float, Pair]] = []
    infinite: Pair | None = None
    while time.monotonic() < until:
        climbing = bool(worst) and tried > 10 * CHUNK and rng.random() < 0.4
        fewest = 2 if settings.relation == "add-remove" else 1
        if climbing:
            pairs = [
                mutate(rng, worst[int(rng.integers(len(worst)))][1], settings.relation)
                for _ in range(_chunk(bench))
            ]
            pairs = [p for p in pairs if len(p.rows) >= fewest]
        else:
            pairs = [
                random_pair(rng, settings.relation, settings.clip_norm, settings.batch_size, fewest)
                for _ in range(_chunk(bench))
            ]
        got = factors(bench, [(p.batch, p.neighbour) for p in pairs])
        tried += len(pairs)
        for factor, pair in zip(got, pairs, strict=True):
            if math.isinf(factor):
                infinite = infinite or pair
            else:
                worst.append((factor, pair))
        worst = sorted(worst, key=lambda one: -one[0])[:8]
        if tried >= 10 * CHUNK and worst and worst[0][0] > 1 + SLACK:
            until = min(until, time.monotonic() + 0.5)  # found: climb a little further
            tried = max(tried, 10 * CHUNK + 1)
        elif infinite is not None and tried >= 10 * CHUNK:
            break
    found = []
    if worst and worst[0][0] > 1 + SLACK:
        found.append(_finding(bench, *worst[0]))
    if infinite is not None:
        found.append(_finding(bench, math.inf, infinite))
    return found, tried


def _chunk(bench: Bench) -> int:
    return CHUNK if bench.frozen else 4


def _finding(bench: Bench, factor: float, pair: Pair) -> Finding:
    factor, pair = _cut_down(bench, factor, pair)
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


def _cut_down(bench: Bench, factor: float, pair: Pair) -> tuple[float, Pair]:
    """Simpler while it stays a violation nearly as large."""
    fewest = 2 if bench.settings.relation == "add-remove" else 1
    least = math.inf if math.isinf(factor) else max(1 + SLACK, 0.9 * factor)
    until = time.monotonic() + 2
    while time.monotonic() < until:
        simpler = [p for p in smaller(pair) if len(p.rows) >= fewest]
        if not simpler:
            break
        got = factors(bench, [(p.batch, p.neighbour) for p in simpler])
        fit = next((i for i, f in enumerate(got) if f >= least), None)
        if fit is None:
            break
        factor, pair = got[fit], simpler[fit]
    return factor, pair


def measure(bench: Bench, finding: Finding) -> float:
    """The factor, measured again."""
    return factors(bench, [(batch_of(finding, "batch"), batch_of(finding, "neighbour"))])[0]
