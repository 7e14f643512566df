"""A count that a mechanism releases beside the gradients: how far one record moves it, and the noise on it.

G1. A count moved by m under noise of deviation d costs as gradients of sensitivity m / d do (they are one Gaussian
    release): the joint noise multiplier is (1 / sigma^2 + (m / d)^2)^(-1/2). The factor is the joint multiplier as
    declared over the one that was measured. Andrew et al. 2021 (arXiv 1905.03871), theorem 1, has m = 1/2.
G2. Movements are measured with the noise frozen, so that it cancels; else as means, with 6 standard errors off.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from refdp.audit.mechanism.batches import Pair, layers, neighbour_of, random_pair, random_row, split
from refdp.audit.mechanism.bench import Batch, Bench, Call, Release
from refdp.audit.mechanism.cut import cut_down
from refdp.audit.mechanism.finding import TOLERATED, Finding, batch_of, named
from refdp.audit.mechanism.noise import FEWER, LEVEL, SEEDS, SHAPES, dependence
from refdp.audit.mechanism.shift import REPEATS, SLACK, averaged, length

NAME = "count"
PAIRS, FEW = 160, 4  # pairs; where releases must be averaged
Steps = list[tuple[int, int]]


def check(bench: Bench, rng: np.random.Generator, fewest: int) -> tuple[list[Finding], list[str]]:
    """(the worst of: a count that moves too far, too little noise on it, noise used twice), and notes."""
    s = bench.settings
    zeros = split(SHAPES, np.zeros((s.batch_size, layers(SHAPES)[-1].stop)))
    first = bench.releases([zeros], [7])[0][0]
    if first.count is None:
        return [], []
    findings, notes = _noise(bench, zeros)
    findings += movement(bench, rng, fewest)
    joint = _joint(first, first.count_sensitivity, first.count_noise)
    if joint < s.noise_multiplier * (1 - 1e-9):
        notes.append(
            f"gradients and count together have noise multiplier {joint:.6g} at step 0, less than the declared "
            f"{s.noise_multiplier:g}: charge the lesser"
        )
    return sorted(findings, key=lambda one: -one.factor)[:1], notes


def movement(bench: Bench, rng: np.random.Generator, fewest: int) -> list[Finding]:
    """The pair that moves the count furthest, if that is further than declared."""
    s, pairs = bench.settings, _near(rng, bench, fewest)[: None if bench.frozen else FEW]
    arguments = (s.relation, s.clip_norm, s.batch_size, fewest)
    pairs += [random_pair(rng, *arguments) for _ in range(PAIRS if bench.frozen else 0)]
    got: list[tuple[float, float]] = []
    for i in range(0, len(pairs), 48):
        got += movements(bench, [(p.batch, p.neighbour) for p in pairs[i : i + 48]])
    worst = max(range(len(got)), key=lambda i: got[i][1])
    return [_moved(bench, got[worst][1], pairs[worst], fewest)] if got[worst][1] > 1 else []


def _near(rng: np.random.Generator, bench: Bench, fewest: int) -> list[Pair]:
    """One record among alike: below C, above, at zero, not finite."""
    s, shapes = bench.settings, ((2, 3), (4,))
    found = []
    for scale in (0.1, 10.0, 0.0, math.nan, math.inf, 1.0):
        rows = np.stack([random_row(rng, shapes, s.clip_norm) for _ in range(max(fewest, 2))])
        rows *= s.clip_norm / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30)
        if math.isfinite(scale):
            rows[0] *= scale
        else:
            rows[0, 0] = scale
        found.append(neighbour_of(rng, s.relation, s.clip_norm, shapes, rows, 0))
    return found


def movements(bench: Bench, pairs: Sequence[tuple[Batch, Batch]]) -> list[tuple[float, float]]:
    """(how far the count moves, at least; the factor that makes) of each pair."""
    seeds = [11] if bench.frozen else list(range(100, 100 + REPEATS))
    told = bench.releases([batch for pair in pairs for batch in pair], seeds)
    return [_movement(bench, told[2 * i], told[2 * i + 1]) for i in range(len(pairs))]


def _movement(bench: Bench, first: list[Release], second: list[Release]) -> tuple[float, float]:
    a, b = ([one.count for one in side if one.count is not None] for side in (first, second))
    if len(a) < len(first) or len(b) < len(second) or a[0].shape != b[0].shape:
        return 0.0, 1.0  # a release that fails is another check's
    left, right = np.stack(a), np.stack(b)
    finite = np.isfinite(left).all(), np.isfinite(right).all()
    if not all(finite):
        return (math.inf, math.inf) if any(finite) else (0.0, 1.0)
    if len(a) == 1:
        eps = max(first[0].eps, second[0].eps)
        moved = max(length(left[0] - right[0]) - 4 * eps * (length(left[0]) + length(right[0])), 0.0)
    else:
        moved = averaged(left, right)
    moved /= bench.settings.moves
    told = min(first[0], second[0], key=lambda one: one.count_sensitivity)
    if moved <= told.count_sensitivity * (1 + SLACK):
        return moved, 1.0
    return moved, _factor(told, moved, 1.0)


def _joint(told: Release, moved: float, deviation: float) -> float:
    """The noise multiplier of gradients and count together; 0 where either has no noise."""
    if told.sigma <= 0 or (deviation <= 0 and moved > 0):
        return 0.0
    return 1 / math.hypot(1 / told.sigma, moved / deviation if moved > 0 else 0.0)


def _factor(told: Release, moved: float, ratio: float) -> float:
    """Joint multiplier declared / joint multiplier at this movement and ``ratio`` times the declared noise."""
    declared = _joint(told, told.count_sensitivity, told.count_noise)
    measured = _joint(told, moved, told.count_noise * ratio)
    return declared / measured if measured > 0 else math.inf


def _moved(bench: Bench, factor: float, pair: Pair, fewest: int) -> Finding:
    def measured(tried: Sequence[tuple[Batch, Batch]]) -> list[float]:
        return [one[1] for one in movements(bench, tried)]

    if bench.frozen:
        factor, pair = cut_down(measured, factor, pair, fewest, 1 + 1e-12)
    moved, factor = movements(bench, [(pair.batch, pair.neighbour)])[0]
    told, moves = bench.releases([pair.batch], [11])[0][0], bench.settings.moves
    bound = told.count_sensitivity * moves
    how = "makes the count not finite" if math.isinf(moved) else f"moves the count by {moved * moves:.6g}"
    what = f"one of {len(pair.rows)} records {how}, declared {bound:g} beside noise {told.count_noise:g}"
    arrays = {**named("batch", pair.batch), **named("neighbour", pair.neighbour)}
    return Finding(NAME, what, moved * moves, bound, factor, 0, arrays, {"kind": "movement"})


def _noise(bench: Bench, zeros: Batch) -> tuple[list[Finding], list[str]]:
    """Too little noise on the count, or noise shared with the gradients or the next step's."""
    s = bench.settings
    a_epoch = max(1, s.dataset_size // s.batch_size)
    size = layers(SHAPES)[-1].stop
    filled = split(SHAPES, np.random.default_rng(4).standard_normal((s.batch_size, size)) * s.clip_norm)
    one = [array[:1] for array in filled]
    rows: list[tuple[Batch, Steps]] = [
        (zeros, [(0, 0), (1, 0)]),
        (filled, [(0, 0)]),
        (one, [(0, 0)]),
        (filled, [(a_epoch * s.epochs - 1, s.epochs - 1)]),
    ]
    findings, notes = [], []
    for batch, steps in rows:
        played = _played(bench, batch, steps)
        if played is None:
            notes.append(
                f"the count is missing or not finite at step {steps[-1][0]}: its noise was not measured"
            )
            continue
        counts, gradients, told = played
        least, most, coordinate = _scale(counts, len(rows))
        details: dict[str, Any] = {"steps": steps, "kind": "noise"}
        step = steps[-1][0]
        if least < 1:
            factor = _factor(told, told.count_sensitivity, least)
            what = (
                f"the noise on the count at step {step} has {least:.6g} times the declared standard deviation"
            )
            if least == 0:
                what = f"there is no noise on the count at step {step}, or the same one each time"
            details["coordinate"] = coordinate
            if factor > 1:
                findings.append(Finding(NAME, what, least, 1.0, factor, step, named("batch", batch), details))
        elif most > TOLERATED:
            notes.append(
                f"more noise on the count than declared ({most:.4g} times): wasteful, not a violation"
            )
        if len(steps) > 1 and (factor := _shared(counts, gradients)) > 1:
            what = "the noise on the count is not independent of the gradients' or of the next step's"
            details = {"steps": steps, "kind": "shared"}
            measured = 0.0 if math.isinf(factor) else 1 / factor
            findings.append(Finding(NAME, what, measured, 1.0, factor, step, named("batch", batch), details))
    return findings, list(dict.fromkeys(notes))


def _played(bench: Bench, batch: Batch, steps: Steps) -> tuple[np.ndarray, np.ndarray, Release] | None:
    """(noise on the count [seed, call, k] / declared, noise on the gradients [seed, call, d], a release)."""
    seeds = SEEDS if len(steps) > 1 else FEWER
    played = bench.play([([Call(batch, *step) for step in steps], range(2000, 2000 + seeds))])[0]
    if any(len(run) < len(steps) or any(not _finite(one) for one in run) for run in played):
        return None
    counts = np.array([[one.count for one in run] for run in played])
    gradients = np.array([[one.output for one in run] for run in played])
    declared = np.array([[one.count_noise for one in run] for run in played])[:, :, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num((counts - counts.mean(0)) / declared, nan=1.0), gradients, played[0][-1]


def _finite(one: Release) -> bool:
    both = (one.output, one.count)
    return all(x is not None and bool(np.isfinite(x).all()) for x in both)


def _scale(noise: np.ndarray, rows: int) -> tuple[float, float, int]:
    """Of the last call: (least measured / declared if too little, greatest if too much, else 1; where)."""
    last = noise[:, -1]
    freedom, least, most, where = len(last) - 1, 1.0, 1.0, 0
    for i, total in enumerate((last**2).sum(0)):
        got, level = math.sqrt(total / freedom), LEVEL / (rows * last.shape[1])
        if stats.chi2.cdf(total, freedom) < level and got < least:
            least, where = (got if got > 1e-9 else 0.0), i
        elif stats.chi2.sf(total, freedom) < level:
            most = max(most, got)
    return least, most, where


def _shared(counts: np.ndarray, gradients: np.ndarray) -> float:
    """The factor of dependence that is there with the counts and not without them."""
    if dependence(gradients)[0] > 1:
        return 1.0  # another check's
    return dependence(np.concatenate([gradients, counts], axis=2))[0]


def measure(bench: Bench, finding: Finding) -> float:
    """The factor, measured again."""
    d, batch = finding.details, batch_of(finding, "batch")
    if d["kind"] == "movement":
        return movements(bench, [(batch, batch_of(finding, "neighbour"))])[0][1]
    played = _played(bench, batch, [tuple(step) for step in d["steps"]])
    if played is None:
        return 1.0
    counts, gradients, told = played
    if d["kind"] == "shared":
        return _shared(counts, gradients)
    least, _, _ = _scale(counts, 1)
    return _factor(told, told.count_sensitivity, least)
