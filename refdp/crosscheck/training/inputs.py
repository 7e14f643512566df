"""What every live peer is given: one model's weights, batches and settings, in which no mistake can hide."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from refdp import validate
from refdp.crosscheck.training.view import norms_of, per_sample_gradients
from refdp.errors import RefDPError
from refdp.models import Network, models
from refdp.models.description import describe
from refdp.models.shapes import natural
from refdp.traces import Trace, TracedStep

_NUDGE = 1e-6  # relative to a weight; a few float32 roundings of a forward pass
_STEADY = 1e-6  # relative to a gradient
_ROUNDS = 200


def inputs_for(
    model: str | Network,
    batch: int,
    *,
    seed: int = 0,
    clip_norm: float | None = None,
    noise_multiplier: float = 1.0,
    steps: int = 1,
    learning_rate: float = 0.1,
    momentum: float = 0.0,
    expected_batch_size: float | None = None,
    dtype: Any = np.float32,
) -> Trace:
    """Random records of the model's natural shape, channels-last, and weights before the first step.

    Every gain and bias is moved away from 1 and 0, by N(0, 0.2^2). With millions of relus one may lie so near its kink
    that rounding decides its slope, whoever computes: of the first batch such records are replaced, until at these
    weights none is left whose float64 gradient has a jump within some roundings. Later steps start from weights that
    are not known here, so there it may happen.

    Args:
        model: a registered one's specification, or a network.
        clip_norm: the middle one of the first batch's norms where None, so that some are clipped and some are not.
        expected_batch_size: ``batch`` where None.
        seed: of all this, and of the run's noise.

    Raises:
        RefDPError: an unknown model, a number out of range, or no records away from all kinks.
    """
    validate.whole(1, batch=batch, steps=steps)
    validate.whole(0, seed=seed)
    network = model if isinstance(model, Network) else models.create(model).build(*natural(model))
    shape, classes = network.input_shape, network.num_classes
    rng = np.random.default_rng(seed)
    batches = [
        (rng.standard_normal((batch, *shape)).astype(dtype), rng.integers(classes, size=batch))
        for _ in range(steps)
    ]
    params = _weights(network, rng, dtype)
    batches[0] = _away_from_kinks(network, params, *batches[0], rng)
    norms = norms_of(per_sample_gradients(network, params, batches[0][0].astype(float), batches[0][1]))
    settings: dict[str, Any] = {
        "clip_norm": float(np.median(norms)) if clip_norm is None else clip_norm,
        "noise_multiplier": noise_multiplier,
        "learning_rate": learning_rate,
        "momentum": momentum,
        "expected_batch_size": float(batch) if expected_batch_size is None else expected_batch_size,
    }
    traced = [
        TracedStep(x=x, y=y, step=number, seed=seed, **settings) for number, (x, y) in enumerate(batches)
    ]
    traced[0] = dataclasses.replace(traced[0], params=params)
    meta: dict[str, Any] = {"model": model} if isinstance(model, str) else {"layers": describe(network)}
    return Trace(tuple(traced), meta | ({"layout": "channels-last"} if len(shape) == 3 else {}))


def _weights(network: Network, rng: np.random.Generator, dtype: Any) -> dict[str, np.ndarray]:
    """By name, with gains and biases moved."""
    params = network.to_framework(network.initialise(rng, dtype=dtype))
    for values in params.values():
        if values.ndim == 1:
            values += (0.2 * rng.standard_normal(values.shape)).astype(dtype)
    return params


def _away_from_kinks(
    network: Network, params: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(x, y) with records near a kink replaced by others."""
    x, doubtful = x.copy(), np.arange(len(y))
    for _ in range(_ROUNDS):
        doubtful = doubtful[~_smooth(network, params, x[doubtful].astype(float), y[doubtful], rng)]
        if not len(doubtful):
            return x, y
        x[doubtful] = rng.standard_normal((len(doubtful), *x.shape[1:])).astype(x.dtype)
    raise RefDPError(f"seed: {_ROUNDS} draws gave no batch away from all kinks of the model; take another")


def _smooth(
    network: Network, params: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Which gradients [B] have no jump between weights nudged to one side and to the other, in two directions.

    g(w + d) + g(w - d) - 2 g(w) is of second order in d where there is none.
    """
    middle = per_sample_gradients(network, params, x, y)
    allowed = _STEADY * norms_of(middle)
    smooth = np.ones(len(y), dtype=bool)
    for _ in range(2):
        nudge = {name: _NUDGE * rng.standard_normal(values.shape) for name, values in params.items()}
        jump = {name: -2 * values for name, values in middle.items()}
        for side in (1, -1):
            moved = {name: values.astype(float) * (1 + side * nudge[name]) for name, values in params.items()}
            for name, values in per_sample_gradients(network, moved, x, y).items():
                jump[name] += values
        smooth &= norms_of(jump) <= allowed
    return smooth
