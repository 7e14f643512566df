"""P12: what a run releases beyond its clean sums is the noise that its ledger declares, fresh everywhere.

Every check gives p-values under the hypothesis that the noise is right. A run is refused where one is below LEVEL, so
that all runs of the test file together raise a false alarm with probability ALARM at most, had their seeds not been
fixed; what a third too much or too little is caught with is computed in ``power``.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from helpers import small_plan
from schedule_formulas import ROWS, example, ratios
from scipy import stats

from refdp.accounting import QuantileEvent, Schedule
from refdp.backend import numpy_backend
from refdp.clippers import AdaptiveClipper
from refdp.data import load
from refdp.engine import Trainer
from refdp.optimizers.lr.plateau import PrivatePlateau
from refdp.rng import Streams

ALARM, CHECKS = 1e-6, 10_000
LEVEL = ALARM / CHECKS
STEPS, SEEDS, SCALE, CLIP_NORM = 40, (11, 12), 1.3, 0.05
HIDDEN, COUNT_STEPS = 56, 400
DATA = load("gaussian-clusters:n_samples=70,n_features=6,n_classes=10", seed=3)


def schedule_of(shape: str, steps: int = STEPS) -> Schedule:
    """The example of a shape."""
    return example(shape, steps, SCALE)


def declared(rule: str, shape: str, steps: int = STEPS) -> np.ndarray:
    """Noise multipliers of the run, from the formulas: the rule ``dynamic`` brings its own, rho_mu^-p."""
    if rule.partition(":")[0] == "dynamic":
        return SCALE * ratios("exponential", steps, {"start": 1.0, "end": 1 / 1.5})
    return SCALE * ratios(shape, steps, ROWS[shape][0])


@dataclass
class Run:
    """Noise that was recovered from a run, in units of what was declared.

    Attributes:
        noise: of the gradient [steps, D].
        counts: of an adaptive rule's counts [steps, L]; L = 0 for other rules.
        accuracy: of the count that a learning rate follows, [observations].
        groups: the slices of D that have a norm of their own, or the parameter tensors.
    """

    noise: np.ndarray
    counts: np.ndarray
    accuracy: np.ndarray
    groups: list[slice]


def recover(rule: str, shape: str, seed: int, steps: int = STEPS, **plan: Any) -> Run:
    """Plain SGD at learning rate 1: the released sum is what the weights moved by, times the divisor."""
    hidden = plan.pop("hidden", HIDDEN)
    dtype = plan.pop("dtype", np.float64)
    schedule = schedule_of(shape, steps)
    made = small_plan(DATA, clipping=rule, clip_norm=CLIP_NORM, schedule=schedule, hidden=hidden, **plan)
    streams = Streams.from_seed(seed)
    trainer = Trainer(made, DATA, numpy_backend(), streams, dtype=dtype, workers=1)
    multipliers = declared(rule, shape, steps)
    noise, counts, accuracy = [], [], []
    seen = _listen(trainer)
    for t in range(steps):
        batch = made.sampler.batch(t, trainer.streams)
        clean, clean_counts = trainer.summed(batch.indices)
        scales = np.repeat(made.clipper.noise_scales(trainer.context), made.sizes)  # type: ignore[union-attr]
        before = trainer.theta.astype(np.float64)
        trainer.advance()
        moved = (before - trainer.theta) * batch.divisor
        noise.append((moved - clean) / (multipliers[t] * scales))
        if seen["counts"]:
            counts.append((seen["counts"].pop() - clean_counts) / _count_std(made))
        if seen["accuracy"]:
            records = len(DATA.train.y)
            hits = trainer.hits(DATA.train)
            accuracy.append((seen["accuracy"].pop() * records - hits) / max(records / 200, 10))
    tensors = [place for place, _ in made.network.parameters.values()]
    return Run(np.array(noise), np.array(counts).reshape(steps, -1), np.array(accuracy), tensors)


def _count_std(plan: Any) -> float:
    """What the ledger says of the counts' noise."""
    event = plan.ledger().events[0]
    assert isinstance(event, QuantileEvent)
    return event.count_noise


def _listen(trainer: Trainer) -> dict[str, list[Any]]:
    """Keep what the engine hands to the clipping rule and to the learning rate: what it released."""
    seen: dict[str, list[Any]] = {"counts": [], "accuracy": []}
    clipper, rate = trainer.plan.clipper, trainer.plan.lr_schedule
    if isinstance(clipper, AdaptiveClipper):
        advanced = clipper.advanced

        def keep(context: Any, released: np.ndarray, divisor: float) -> dict[str, np.ndarray]:
            seen["counts"].append(released)
            return advanced(context, released, divisor)

        object.__setattr__(clipper, "advanced", keep)
    if isinstance(rate, PrivatePlateau):
        observed = rate.observed

        def look(state: Any, accuracy: float) -> Any:
            seen["accuracy"].append(accuracy)
            return observed(state, accuracy)

        object.__setattr__(rate, "observed", look)
    return seen


def scale_p(values: np.ndarray) -> float:
    """Chi-square, both tails, of values that should be N(0, 1)."""
    total, size = float((values**2).sum()), values.size
    return 2 * min(float(stats.chi2.sf(total, size)), float(stats.chi2.cdf(total, size)))


def correlation_p(r: Any, size: int) -> Any:
    """Of a correlation of two independent normal samples of that size: both tails of its own law."""
    r = np.clip(np.abs(r), 0, 1)
    return 2 * stats.beta.sf(r, size / 2 - 1, size / 2 - 1, loc=-1, scale=2)


def pair_p(one: np.ndarray, other: np.ndarray) -> float:
    """Two samples, of the same size, in any shape."""
    return float(correlation_p(np.corrcoef(one.ravel(), other.ravel())[0, 1], one.size))


def least(p_values: Any) -> float:
    """Bonferroni: the least of many, times how many."""
    found = np.ravel(p_values)
    return min(1.0, float(found.min()) * found.size) if found.size else 1.0


def gradient_p_values(runs: list[Run]) -> dict[str, float]:
    """The checks of the gradient's noise, of one plan at different seeds, by what a low value says."""
    z = np.concatenate([run.noise for run in runs])
    groups = runs[0].groups
    seed = np.repeat(np.arange(len(runs)), [len(run.noise) for run in runs])
    r = np.corrcoef(z)
    above, same = np.triu(np.ones_like(r, dtype=bool), 1), seed[:, None] == seed[None, :]
    steps = [pair_p(run.noise[k:], run.noise[:-k]) for run in runs for k in (1, 2, 5)]
    return {
        "the noise is not N(0, 1) times what is declared": float(stats.kstest(z.ravel(), "norm").pvalue),
        "the noise's scale is not what is declared": scale_p(z),
        "the noise's scale is off at some step": least([scale_p(row) for row in z]),
        "the noise's scale is off in some tensor": least([scale_p(z[:, g]) for g in groups]),
        "the noise has a mean": scale_p(np.sqrt(len(z)) * z.mean(axis=0)),
        "the noise is shared between coordinates": scale_p(z.sum(axis=1) / math.sqrt(z.shape[1])),
        "the noise is shared between neighbours": least(
            [pair_p(z[:, shift:], z[:, :-shift]) for shift in (1, 2, 6, HIDDEN)]
        ),
        "the noise is reused between tensors": least(_between_tensors(z, groups)),
        "the noise is reused between steps": least([*correlation_p(r[above & same], z.shape[1]), *steps]),
        "the noise is reused between seeds": least(correlation_p(r[above & ~same], z.shape[1])),
    }


def _between_tensors(z: np.ndarray, groups: list[slice]) -> list[float]:
    """First coordinates, last coordinates and sums of every two tensors."""
    found = []
    for one, other in itertools.combinations(groups, 2):
        a, b = z[:, one], z[:, other]
        size = min(a.shape[1], b.shape[1])
        found += [pair_p(a[:, :size], b[:, :size]), pair_p(a[:, -size:], b[:, -size:])]
        found.append(pair_p(a.sum(axis=1), b.sum(axis=1)))
    return found


def count_p_values(runs: list[Run], what: str) -> dict[str, float]:
    """The checks of ``counts`` or ``accuracy``: few numbers a step, so steps are compared at a distance."""
    parts = [getattr(run, what).reshape(len(run.noise), -1) for run in runs]
    values, z = np.concatenate(parts), np.concatenate([run.noise for run in runs])
    reused = [pair_p(part[k:], part[:-k]) for part in parts for k in (1, 2, 3, 5, 7, 10)]
    reused += [pair_p(a, b) for part in parts for a, b in itertools.combinations(part.T, 2)]
    reused += [pair_p(a, b) for a, b in itertools.combinations(parts, 2)]
    width = values.shape[1]
    starts = [g.start for g in runs[0].groups if g.stop - g.start >= width]
    beside = [pair_p(values, z[:, start : start + width]) for start in starts]
    beside.append(pair_p(values.sum(axis=1), z.sum(axis=1)))
    return {
        f"the {what}' noise is not N(0, 1) times what is declared": float(
            stats.kstest(values.ravel(), "norm").pvalue
        ),
        f"the {what}' noise has a scale that is not what is declared": scale_p(values),
        f"the {what}' noise is reused": least(reused),
        f"the {what}' noise is the gradient's": least(beside),
    }


def hold(found: dict[str, float], of: str) -> None:
    """Every check at LEVEL."""
    for says, p in found.items():
        assert p > LEVEL, f"{of}: {says} (p = {p:.3g})"


def check_gradient_noise(rule: str, shape: str, **plan: Any) -> None:
    """P12 for a rule and a schedule."""
    hold(gradient_p_values([recover(rule, shape, seed, **plan) for seed in SEEDS]), f"{rule}, {shape}")


def check_count_noise(rule: str, shape: str, **plan: Any) -> None:
    """P12 for an adaptive rule's counts: more steps of a smaller model."""
    runs = [recover(rule, shape, seed, steps=COUNT_STEPS, hidden=2, **plan) for seed in SEEDS]
    hold(count_p_values(runs, "counts"), f"{rule}, {shape}")


def check_accuracy_noise(shape: str) -> None:
    """P12 for the count that a learning rate follows, one a step; the rate itself stays as it is."""
    rate = f"plateau:every=1,patience={10**6}"
    runs = [recover("flat", shape, s, steps=COUNT_STEPS, hidden=2, lr_schedule=rate) for s in SEEDS]
    hold(count_p_values(runs, "accuracy"), f"plateau, {shape}")


def power(size: int, ratio: float, tests: int = 1) -> float:
    """Chance that ``scale_p`` of ``size`` values of standard deviation ``ratio`` is at most LEVEL / tests."""
    low, high = stats.chi2.ppf(LEVEL / tests / 2, size), stats.chi2.isf(LEVEL / tests / 2, size)
    return float(stats.chi2.cdf(low / ratio**2, size) + stats.chi2.sf(high / ratio**2, size))
