"""The noise really added: its scale, a tensor and a coordinate at a time, and its independence.

G1. Too little noise is called so at level ``LEVEL`` over all tests of one audit together (chi-square, Bonferroni).
    Too much is a finding where every tensor has surely more than ``TOLERATED`` times the declared noise, at the
    same level; else a note.
G2. Dependence is a sample correlation beyond what independent Gaussian noise shows at that level.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import stats

from refdp.audit.mechanism.batches import layers, split
from refdp.audit.mechanism.bench import Batch, Bench, Call, Release
from refdp.audit.mechanism.finding import TOLERATED, Finding, batch_of, named, ratio

SCALE, REUSE, EMPTY, EXCESS = "noise-scale", "noise-reuse", "empty-batch", "noise-excess"
LEVEL = 1e-6
SEEDS, FEWER = 500, 150  # of a series of steps; of one step
SHAPES = ((6,), (4, 3), (5,), (20,))
Steps = list[tuple[int, int]]


def check(bench: Bench) -> tuple[list[Finding], list[str]]:
    """(too little noise, noise used twice, too much noise), and notes."""
    s = bench.settings
    a_epoch = max(1, s.dataset_size // s.batch_size)
    zeros = np.zeros((s.batch_size, sum(int(np.prod(shape)) for shape in SHAPES)))
    filled = np.random.default_rng(3).standard_normal(zeros.shape) * s.clip_norm
    row: list[tuple[np.ndarray, Steps]] = [
        (zeros, [(0, 0), (1, 0), (a_epoch, 1 % s.epochs)]),
        (filled, [(0, 0)]),
        (filled, [(a_epoch * s.epochs // 2, s.epochs // 2)]),
        (filled, [(a_epoch * s.epochs - 1, s.epochs - 1)]),
    ]
    findings, notes = [], []
    for rows, steps in row:
        batch = split(SHAPES, rows)
        played = played_noise(bench, batch, steps, SEEDS if len(steps) > 1 else FEWER)
        if played is None:
            notes.append(
                f"some releases at step {steps[-1][0]} are not finite or fail: their noise was not measured"
            )
            continue
        least, where, most = scale(played, layers(SHAPES), len(row))
        times, call = excess(played, layers(SHAPES), len(row))
        if least is not None:
            findings.append(_too_little(bench, batch, steps, least, where))
        elif times > 1:
            findings.append(_too_much(bench, batch, steps, times, call))
        elif most > 1 and not any(note.startswith("more noise") for note in notes):
            notes.append(
                f"more noise than declared ({most:.4g} times, step {steps[0][0]}): wasteful, not a violation"
            )
        if len(steps) > 1:
            factor, pair = dependence(played)
            if factor > 1:
                findings.append(_reused(batch, steps, factor, pair))
            if not _gaussian(played):
                notes.append(
                    "its noise is not Gaussian: what an accountant says of Gaussian noise is not said of it"
                )
    first = {one.check: one for one in reversed(findings)}
    return list(first.values()), list(dict.fromkeys(notes))


def played_noise(bench: Bench, batch: Batch, steps: Steps, seeds: int) -> np.ndarray | None:
    """[seed, call, coordinate]: noise over its declared standard deviation; None where a release is not finite."""
    played = bench.play([([Call(batch, *step) for step in steps], range(1000, 1000 + seeds))])[0]
    times = bench.settings.scale(len(batch[0]))
    if any(len(run) < len(steps) or any(not _finite(one) for one in run) for run in played):
        return None
    declared = np.array([[one.sigma * one.sensitivity for one in run] for run in played])
    noise = np.stack([np.stack([one.output for one in run if one.output is not None]) for run in played])
    noise = (noise - noise.mean(0)) * times
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(noise / declared[:, :, None], nan=1.0)


def _finite(one: Release) -> bool:
    return one.output is not None and bool(np.isfinite(one.output).all())


def scale(noise: np.ndarray, spans: list[slice], rows: int) -> tuple[float | None, dict[str, Any], float]:
    """(least measured / declared where that is too little, else None; where; the greatest ratio if significant)."""
    count, calls, size = noise.shape
    level = LEVEL / (rows * calls * (1 + len(spans) + size))
    least: tuple[float, dict[str, Any]] | None = None
    most = 1.0
    for call in range(calls):
        squares = (noise[:, call] ** 2).sum(0)
        parts = [("every tensor", slice(0, size)), *((f"tensor {i}", span) for i, span in enumerate(spans))]
        parts += [(f"coordinate {i}", slice(i, i + 1)) for i in range(size)]
        for name, span in parts:
            freedom = (count - 1) * (span.stop - span.start)
            if not freedom:
                continue
            total = float(squares[span].sum())
            got = math.sqrt(total / freedom)
            if stats.chi2.cdf(total, freedom) < level:
                if least is None or got < 0.8 * least[0]:  # the broadest of nearly equal ones
                    least = got, {"call": call, "start": span.start, "stop": span.stop, "name": name}
            elif stats.chi2.sf(total, freedom) < level:
                most = max(most, got)
    return (None, {}, most) if least is None else (*least, most)


def excess(noise: np.ndarray, spans: list[slice], rows: int) -> tuple[float, int]:
    """(measured / declared of the tensor with the least, at the call where it is least; that call).

    1 where some tensor has, perhaps, no more than ``TOLERATED`` times what is declared.
    """
    count, calls, _ = noise.shape
    found = [(1.0, 0)]
    for call in range(calls):
        squares = (noise[:, call] ** 2).sum(0)
        totals = [(float(squares[span].sum()), (count - 1) * (span.stop - span.start)) for span in spans]
        level = LEVEL / (rows * calls)
        if all(stats.chi2.sf(total / TOLERATED**2, freedom) < level for total, freedom in totals):
            found.append((math.sqrt(min(total / freedom for total, freedom in totals)), call))
    sure = [one for one in found[1:] if math.isfinite(one[0])]
    return min(sure, default=found[0])


def dependence(noise: np.ndarray) -> tuple[float, tuple[int, int]]:
    """(1 / sqrt(1 - |r|) of the most correlated pair of coordinates over all calls, 1 if that is chance; the pair)."""
    flat = noise.reshape(len(noise), -1)
    deviation = flat.std(0)
    alive = np.flatnonzero(deviation > 0)
    if len(alive) < 2:
        return 1.0, (0, 0)
    normal = (flat[:, alive] - flat[:, alive].mean(0)) / deviation[alive]
    r = np.abs(np.triu(normal.T @ normal / len(normal), 1))
    i, j = np.unravel_index(int(r.argmax()), r.shape)
    pairs = len(alive) * (len(alive) - 1) / 2
    chance = float(stats.norm.isf(LEVEL / (2 * pairs))) / math.sqrt(len(noise))
    worst = min(float(r[i, j]), 1.0)
    where = (int(alive[i]), int(alive[j]))
    if worst <= chance:
        return 1.0, where
    return ratio(1.0, math.sqrt(1 - worst) if worst < 1 - 1e-9 else 0.0), where


def _gaussian(noise: np.ndarray) -> bool:
    flat = noise[:, 0].ravel()
    deviation = flat.std()
    return deviation == 0 or float(stats.kstest(flat / deviation, "norm").pvalue) > LEVEL


def _too_little(bench: Bench, batch: Batch, steps: Steps, least: float, where: dict[str, Any]) -> Finding:
    step = steps[where["call"]]
    factor = ratio(1.0, least if least > 1e-9 else 0.0)
    what = f"the noise on {where['name']} at step {step[0]} has {least:.6g} times the declared standard deviation"
    if math.isinf(factor):
        what = f"there is no noise on {where['name']} at step {step[0]}, or the same one each time"
    return Finding(SCALE, what, least, 1.0, factor, step[0], named("batch", batch), {"steps": steps, **where})


def _too_much(bench: Bench, batch: Batch, steps: Steps, times: float, call: int) -> Finding:
    step, size = steps[call][0], bench.settings.batch_size
    what = (
        f"the noise on every tensor at step {step} has at least {times:.6g} times the declared standard deviation: "
        "by itself no leak (epsilon is overstated), but not the mechanism declared"
    )
    if size > 1 and abs(times / size - 1) < 0.1:
        what += f" (about the batch size {size} times: noise of the sum on the mean, or the sum is what is released)"
    details = {"steps": steps, "call": call}
    return Finding(EXCESS, what, times, 1.0, 1 / times, step, named("batch", batch), details)


def _reused(batch: Batch, steps: Steps, factor: float, pair: tuple[int, int]) -> Finding:
    size = sum(int(np.prod(array.shape[1:])) for array in batch)
    (call_a, a), (call_b, b) = (divmod(index, size) for index in pair)
    where = [f"coordinate {i} at step {steps[call][0]}" for call, i in ((call_a, a), (call_b, b))]
    what = f"the noise on {where[0]} and on {where[1]} is not independent"
    measured = 0.0 if math.isinf(factor) else 1 / factor
    return Finding(
        REUSE, what, measured, 1.0, factor, steps[call_a][0], named("batch", batch), {"steps": steps}
    )


def measure_scale(bench: Bench, finding: Finding) -> float:
    """How many times too little, measured again."""
    d = finding.details
    steps = [tuple(s) for s in d["steps"]]
    noise = played_noise(bench, batch_of(finding, "batch"), steps, SEEDS if len(steps) > 1 else FEWER)
    if noise is None:
        return 1.0
    least = math.sqrt(
        (noise[:, d["call"], d["start"] : d["stop"]] ** 2).mean() * len(noise) / (len(noise) - 1)
    )
    return ratio(1.0, least if least > 1e-9 else 0.0)


def measure_excess(bench: Bench, finding: Finding) -> float:
    """1 / how many times too much, measured again."""
    steps, batch = [tuple(s) for s in finding.details["steps"]], batch_of(finding, "batch")
    noise = played_noise(bench, batch, steps, SEEDS if len(steps) > 1 else FEWER)
    if noise is None:
        return 1.0
    spans = layers(tuple(array.shape[1:] for array in batch))
    times, _ = excess(noise[:, [finding.details["call"]]], spans, 4)
    return 1 / times


def measure_reuse(bench: Bench, finding: Finding) -> float:
    """The factor of dependence, measured again."""
    steps = [tuple(s) for s in finding.details["steps"]]
    noise = played_noise(bench, batch_of(finding, "batch"), steps, SEEDS)
    return 1.0 if noise is None else dependence(noise)[0]


def empty(bench: Bench) -> Finding | None:
    """An empty batch must release noise as any other."""
    batch = split(SHAPES, np.zeros((0, sum(int(np.prod(shape)) for shape in SHAPES))))
    factor, what = _empty(bench, batch)
    if factor <= 1:
        return None
    return Finding(EMPTY, what, 1 / factor, 1.0, factor, 0, named("batch", batch), {})


def measure_empty(bench: Bench, finding: Finding) -> float:
    """The factor for the empty batch, measured again."""
    return _empty(bench, batch_of(finding, "batch"))[0]


def _empty(bench: Bench, batch: Batch) -> tuple[float, str]:
    first = bench.releases([batch], [1000])[0][0]
    if first.error is not None:
        return math.inf, f"an empty batch fails: {first.error}"
    noise = played_noise(bench, batch, [(0, 0)], 200)
    if noise is None:
        return math.inf, "an empty batch releases numbers that are not finite"
    least, _, _ = scale(noise, layers(SHAPES), 1)
    if least is None:
        return 1.0, ""
    factor = ratio(1.0, least if least > 1e-9 else 0.0)
    much = "no noise" if math.isinf(factor) else f"{least:.4g} times the declared noise"
    return factor, f"an empty batch releases {much}"
