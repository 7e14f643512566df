"""Every test of a step's noise, or of many steps' together, at one stated rate of false alarms.

Power, for D coordinates (all draws of all parameters together) and p-values below RATE / 12 = 8.3e-8: a standard
deviation that is off by a fraction f is found with probability 1/2 where f = 5.3 / sqrt(2 D), and 99.9 % where
f = 8.4 / sqrt(2 D): 2.3 % and 3.7 % of one draw of 26,010 coordinates, 0.23 % and 0.37 % of a hundred. Measured with
float32's rounding: a half or twice the scale shows from some 70 coordinates on, no noise from 2, Laplace noise of the
right scale from 2,000, uniform from 200, float16's few bits from 500 (a clip norm of 1), and a beginning that two
parameters share from 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from refdp.crosscheck.training.noise import correlation, directions, distribution, moments, repeats
from refdp.crosscheck.training.noise.sample import Sample, joined
from refdp.crosscheck.training.view import StepView

RATE = 1e-6
"""The chance that sound noise fails: of one step, over all its tests, and again of all steps together (Bonferroni)."""


@dataclass(frozen=True)
class Findings:
    """What the tests found.

    Attributes:
        p_values: by test.
        measured: anything else by name.
    """

    p_values: dict[str, float]
    measured: dict[str, Any] = field(default_factory=dict)

    @property
    def threshold(self) -> float:
        """What a p-value must be below for its test to fail: RATE over the number of tests."""
        return RATE / len(self.p_values)

    @property
    def failed(self) -> list[str]:
        """Tests that fail, the surest first."""
        found = sorted((p, name) for name, p in self.p_values.items() if p < self.threshold)
        return [name for _, name in found]

    @property
    def figures(self) -> dict[str, Any]:
        """For a stage."""
        return {
            **self.measured,
            "p_values": self.p_values,
            "tests": len(self.p_values),
            "false_alarm_rate": RATE,
            "threshold": self.threshold,
            "failed": self.failed,
        }


def of_step(sample: Sample, view: StepView | None = None) -> Findings:
    """All tests that one step allows; ``view`` tells directions that the noise should know nothing of."""
    pool = sample.pool
    p_values: dict[str, float] = {}
    p_values["scale"], ratio, interval = moments.scale(pool)
    p_values["scale by parameter"], by_parameter = moments.by_tensor(sample)
    p_values["mean"], mean = moments.mean(pool)
    p_values["sums along axes"], axis = moments.along_axes(sample)
    p_values["largest"], largest = distribution.largest(pool)
    p_values["repeats"], by_tensor, repeated, expected = repeats.within(sample)
    p_values["zeros"], zeros = repeats.zeros(sample)
    p_values["between neighbours"], lag = correlation.along_lags(sample)
    p_values["between parameters"], tensors = correlation.between_tensors(sample)
    p_values["between draws"], draws = correlation.between_rows(sample.rows, sample.errors)
    p_values["distribution"], distance = distribution.normal(pool, _shape_scale(p_values, ratio))
    along = None if view is None else directions.along(view, sample, _shape_scale(p_values, ratio))
    if along is not None:
        p_values["known directions"] = along[0]
    measured = {
        "scale": ratio,
        "scale_interval": interval,
        "by_parameter": by_parameter,
        "mean": mean,
        "largest": largest,
        "distance": distance,
        "repeats": repeated,
        "repeats_expected": expected,
        "repeats_by_parameter": by_tensor,
        "oddest_axis": axis,
        "closest_parameters": tensors,
        "closest_draws": draws,
        "zeros": zeros,
        "oddest_lag": lag,
        "oddest_direction": None if along is None else along[1],
        "coordinates": pool.values.size,
        "draws": len(sample.rows),
        "rounding": pool.error / pool.values.size**0.5,
    }
    return Findings(p_values, measured)


def of_steps(samples: Sequence[Sample], numbers: Sequence[int]) -> Findings:
    """What steps, at least two, tell together.

    Args:
        samples: each step's.
        numbers: of the steps in their trace, for what is said of them.
    """
    pool = joined([sample.pool for sample in samples])
    p_values: dict[str, float] = {}
    p_values["scale"], ratio, interval = moments.scale(pool)
    p_values["mean"], mean = moments.mean(pool)
    p_values["repeats"], repeated, expected = repeats.repeats(pool.values, pool.rounding)
    p_values["distribution"], distance = distribution.normal(pool, _shape_scale(p_values, ratio))
    measured: dict[str, Any] = {
        "scale": ratio,
        "scale_interval": interval,
        "mean": mean,
        "distance": distance,
        "repeats": repeated,
        "repeats_expected": expected,
        "coordinates": pool.values.size,
        "steps": len(samples),
    }
    shared = [_common(sample, samples) for sample in samples]
    if shared[0].tensors:
        step_of = np.repeat(np.arange(len(samples)), [len(sample.rows) for sample in shared])
        rows, errors = np.concatenate([s.rows for s in shared]), np.concatenate([s.errors for s in shared])
        p_values["between steps"], same = correlation.between_rows(rows, errors, step_of)
        firsts, off = np.stack([s.rows[0] for s in shared]), np.stack([s.errors[0] for s in shared])
        p_values["between steps, shifted"], moved = correlation.shifted(firsts, off)
        measured["closest_steps"] = same and (numbers[step_of[same[0]]], numbers[step_of[same[1]]], same[2])
        measured["closest_shifted_steps"] = moved and (numbers[moved[0]], numbers[moved[1]], *moved[2:])
    return Findings(p_values, measured)


def _shape_scale(p_values: dict[str, float], ratio: float) -> float:
    """The scale that the shape is judged at: 1, or as measured where "scale" fails anyhow (below RATE / 12 it does)."""
    return ratio if ratio > 0 and p_values["scale"] < RATE / 12 else 1.0


def _common(sample: Sample, samples: Sequence[Sample]) -> Sample:
    """Only parameters that every step has, of one shape, in the first step's order."""
    kept = [
        tensor.name
        for tensor in samples[0].tensors
        if all(
            any(t.name == tensor.name and t.z.shape[1:] == tensor.z.shape[1:] for t in other.tensors)
            for other in samples
        )
    ]
    own = {tensor.name: tensor for tensor in sample.tensors}
    return Sample(sample.std, tuple(own[name] for name in kept))
