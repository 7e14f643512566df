"""Steps of known noise, for tests of the noise stage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from refdp.crosscheck.training.view import StepView
from refdp.traces import TracedStep

Noise = dict[str, np.ndarray]
SMALL = {"a.weight": (12, 9), "a.bias": (12,), "b.weight": (4, 12), "b.bias": (4,)}
"""172 coordinates."""
CNN = {
    "conv1.weight": (16, 1, 8, 8), "conv1.bias": (16,), "conv2.weight": (32, 16, 4, 4), "conv2.bias": (32,),
    "fc1.weight": (32, 512), "fc1.bias": (32,), "fc2.weight": (10, 32), "fc2.bias": (10,),
}  # fmt: skip
"""26,010 coordinates."""


def sound(rng: np.random.Generator, shapes: dict[str, tuple[int, ...]], draws: int = 1) -> Noise:
    """Standard normals [draws, *shape]."""
    return {name: rng.normal(size=(draws, *shape)) for name, shape in shapes.items()}


def step_of(z: Noise, rng: np.random.Generator, **settings: Any) -> TracedStep:
    """A step whose noise is z in standard deviations, in float32 throughout."""
    known = {"noise_multiplier": 1.1, "clip_norm": 0.5, "step": 0} | settings
    std = np.float32(known["noise_multiplier"] * known["clip_norm"])
    total = {name: rng.normal(size=values.shape[1:]).astype(np.float32) for name, values in z.items()}
    noised = {name: total[name] + std * values.astype(np.float32) for name, values in z.items()}
    return TracedStep(clipped_sum=total, noised_sum=noised, **known)


def views(*steps: TracedStep) -> tuple[StepView, ...]:
    return tuple(StepView(step, earlier=steps[:number]) for number, step in enumerate(steps))


def each(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Noise], Noise]:
    return lambda z: {name: change(values) for name, values in z.items()}
