"""Noise that changes with the data: two seeds on each of two neighbouring batches.

G1. Where frozen noise does not cancel between neighbours, ``bench.frozen`` is taken back: later checks average.
"""

from __future__ import annotations

import math

import numpy as np

from refdp.audit.mechanism.batches import Pair, random_pair
from refdp.audit.mechanism.bench import Batch, Bench, Release
from refdp.audit.mechanism.finding import Finding, batch_of, named

NAME = "noise-data"
PAIRS = 96
SLACK = 1e-6


def check(bench: Bench, rng: np.random.Generator, fewest: int) -> tuple[Finding | None, list[str]]:
    """(the pair whose noise changes most, notes)."""
    if not bench.frozen:
        return None, []
    s = bench.settings
    pairs = [random_pair(rng, s.relation, s.clip_norm, s.batch_size, fewest) for _ in range(PAIRS)]
    got = ratios(bench, [(p.batch, p.neighbour) for p in pairs])
    if sum(math.isnan(one) for one in got) > 0:
        bench.frozen = False
        return None, [
            "its noise draws depend on the data: releases were averaged, and small violations are missed"
        ]
    worst = int(np.argmax(got))
    return (_finding(got[worst], pairs[worst]), []) if got[worst] > 1 else (None, [])


def divisor_note(bench: Bench) -> list[str]:
    """A mean whose noise halves when twice as many records come divides by the realised batch size."""
    s = bench.settings
    if not bench.frozen or s.release != "mean" or s.divisor == "realised":
        return []
    two, four = ([np.full((count, 4), 0.1 * s.clip_norm)] for count in (2, 4))
    if abs(ratios(bench, [(two, four)])[0] - 2) > 1e-3:
        return []
    return ["it divides by the number of records given; where that is fixed, hold it to --divisor realised"]


def _finding(factor: float, pair: Pair) -> Finding:
    what = (
        f"one of {len(pair.rows)} records changes the noise's standard deviation by a factor of {factor:.6g}"
    )
    arrays = {**named("batch", pair.batch), **named("neighbour", pair.neighbour)}
    return Finding(NAME, what + " (no accountant counts that)", factor, 1.0, factor, 0, arrays, {})


def ratios(bench: Bench, pairs: list[tuple[Batch, Batch]]) -> list[float]:
    """Greater over smaller noise, 1 where equal up to rounding or not to be told; NaN: not the same draws."""
    told = bench.releases([batch for pair in pairs for batch in pair], [21, 22])
    return [_ratio(told[2 * i], told[2 * i + 1]) for i in range(len(pairs))]


def _ratio(first: list[Release], second: list[Release]) -> float:
    a, b = (one.output for one in first), (one.output for one in second)
    four = [*a, *b]
    if any(one is None or not np.isfinite(one).all() for one in four):
        return 1.0
    a1, a2, b1, b2 = (one for one in four if one is not None)
    left, right = a1 - a2, b1 - b2
    lengths = float(np.linalg.norm(left)), float(np.linalg.norm(right))
    eps = max(one.eps for one in (*first, *second))
    rounding = 16 * eps * sum(float(np.abs(one).max(initial=0)) for one in (a1, a2, b1, b2))
    if max(lengths) <= 100 * rounding:
        return 1.0
    if min(lengths) <= 100 * rounding:
        return math.inf if max(lengths) > 1e6 * rounding else 1.0
    allowed = SLACK + rounding / min(lengths)
    apart = float(np.linalg.norm(left / lengths[0] - right / lengths[1]))
    if apart > allowed * math.sqrt(len(left)):
        return math.nan
    found = max(lengths) / min(lengths)
    return found if found > 1 + allowed * math.sqrt(len(left)) else 1.0


def measure(bench: Bench, finding: Finding) -> float:
    """The factor, measured again."""
    return ratios(bench, [(batch_of(finding, "batch"), batch_of(finding, "neighbour"))])[0]
