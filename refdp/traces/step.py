"""What a trace holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Arrays = Mapping[str, np.ndarray]
"""Arrays by parameter name, such as ``conv1.weight``."""

ARRAYS = ("x", "y", "norms", "batch_index")
BY_NAME = {
    "param": "params",
    "grad_sample": "grad_sample",
    "clipped_sum": "clipped_sum",
    "noised_sum": "noised_sum",
    "param_after": "params_after",
}
"""Key in a file, before the slash -> attribute of a step."""
NUMBERS = ("clip_norm", "noise_multiplier", "divisor", "expected_batch_size", "learning_rate", "momentum")
WHOLE = ("step", "seed")
TEXT = ("generator",)


@dataclass(frozen=True)
class TracedStep:
    """One training step; what was not recorded is None, or an empty mapping.

    Attributes:
        x: the model's input [B, ...], as the framework saw it.
        y: labels [B], whole numbers.
        params: weights before the step, by name in PyTorch's layouts.
        grad_sample: per-sample gradients [B, *shape] of each sample's own loss (no 1 / B in it).
        norms: of the per-sample gradients, over all parameters [B].
        clipped_sum: sum over the batch of clipped per-sample gradients [*shape].
        noised_sum: the same with noise: [*shape], or many draws of it [N, *shape].
        params_after: weights after the step.
        batch_index: which records of the data set the batch holds [B].
        clip_norm, noise_multiplier: > 0 and >= 0; noise's standard deviation is their product.
        divisor: what the noised sum was divided by; expected_batch_size: what it should be under Poisson sampling.
        learning_rate, momentum: of plain SGD with PyTorch's (heavy-ball) momentum.
        step: 0-based number of the step in its run.
        generator, seed: of the noise, where it can be drawn again: ``torch-cpu`` or ``jax-threefry``.
    """

    x: np.ndarray | None = None
    y: np.ndarray | None = None
    params: Arrays = field(default_factory=dict)
    grad_sample: Arrays = field(default_factory=dict)
    norms: np.ndarray | None = None
    clipped_sum: Arrays = field(default_factory=dict)
    noised_sum: Arrays = field(default_factory=dict)
    params_after: Arrays = field(default_factory=dict)
    batch_index: np.ndarray | None = None
    clip_norm: float | None = None
    noise_multiplier: float | None = None
    divisor: float | None = None
    expected_batch_size: float | None = None
    learning_rate: float | None = None
    momentum: float | None = None
    step: int | None = None
    generator: str | None = None
    seed: int | None = None

    @property
    def batch_size(self) -> int | None:
        """B, where anything recorded tells."""
        for values in (self.x, self.y, self.norms, self.batch_index, *self.grad_sample.values()):
            if values is not None:
                return len(values)
        return None

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of each parameter, from whatever was recorded of it."""
        shapes = {name: values.shape[1:] for name, values in self.grad_sample.items()}
        for arrays in (self.clipped_sum, self.params_after, self.params):
            shapes.update({name: values.shape for name, values in arrays.items()})
        return shapes

    def follows(self, other: TracedStep) -> bool:
        """Whether this is the step after ``other`` in the run, as far as their numbers tell."""
        if self.step is None or other.step is None:
            return self.step is other.step
        return self.step == other.step + 1

    def draws(self, name: str) -> np.ndarray:
        """noised_sum of a parameter as [N, *shape], N = 1 for a single one."""
        values, shape = self.noised_sum[name], self.shapes.get(name)
        return (
            values
            if shape is not None and values.shape[1:] == shape and values.ndim > len(shape)
            else values[None]
        )


@dataclass(frozen=True)
class Trace:
    """Steps in order, and who made them.

    Attributes:
        steps: at least one.
        meta: ``framework``, ``version``, ``model`` (a registered model's specification), ``layout`` of x
            (``channels-first`` or ``channels-last``), and whatever else the recorder says.
    """

    steps: tuple[TracedStep, ...]
    meta: Mapping[str, Any] = field(default_factory=dict)
