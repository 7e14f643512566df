"""What tests of live peers share: interpreters from REFDP_PEERS, a judged step, and refdp's own run."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import numpy as np
import pytest

from refdp.crosscheck.process import Outcome
from refdp.crosscheck.training.live import LivePeer, record
from refdp.crosscheck.training.view import inputs, norms_of, per_sample_gradients
from refdp.models import Network, models
from refdp.models.shapes import natural
from refdp.replay.step_noise import TorchSteps
from refdp.traces import Trace

LIMITS: dict[str, Any] = {"timeout": 300.0, "memory": 2**37}


def interpreters() -> dict[str, str]:
    """REFDP_PEERS="opacus=PYTHON,jax-privacy=PYTHON,...": torch lives where Opacus does, JAX where JAX-Privacy does."""
    items = [item.partition("=") for item in os.environ.get("REFDP_PEERS", "").split(",") if item.strip()]
    found = {name.strip(): python.strip() for name, _, python in items}
    for name, holder in (("torch", "opacus"), ("jax", "jax-privacy")):
        if holder in found:
            found.setdefault(name, found[holder])
    return found


def python_of(package: str) -> str:
    """Its interpreter; skips the test where none is named."""
    found = interpreters()
    if package not in found:
        pytest.skip(f"needs {package}: name its interpreter, REFDP_PEERS={package}=/path/to/python")
    return found[package]


@cache
def network(model: str) -> Network:
    """refdp's own."""
    return models.create(model).build(*natural(model))


def one(peer: LivePeer, given: Trace, **options: Any) -> tuple[Outcome, Trace | None]:
    """What this peer alone gives; skips the test where it has no interpreter."""
    ((_, outcome, trace),) = record(
        [peer], {peer.package: python_of(peer.package)}, given, **LIMITS, **options
    )
    return outcome, trace


def weights_of_own_run(model: str, given: Trace) -> list[dict[str, np.ndarray]]:
    """After each step: refdp in float64, with the noise that the seed gives to torch."""
    net, first = network(model), given.steps[0]
    theta = {name: values.astype(float) for name, values in first.params.items()}
    velocity = {name: np.zeros_like(values) for name, values in theta.items()}
    assert first.seed is not None
    noise = TorchSteps(first.seed, [values.shape for values in theta.values()])
    found = []
    for number, step in enumerate(given.steps):
        gradients = per_sample_gradients(net, theta, inputs(net, step.x, given.meta), step.y)
        scales = np.minimum(1, step.clip_norm / np.maximum(norms_of(gradients), step.clip_norm))
        deviation = step.noise_multiplier * step.clip_norm
        for (name, rows), z in zip(gradients.items(), noise.at(number), strict=True):
            noised = np.tensordot(scales, rows, axes=1) + deviation * z
            velocity[name] = step.momentum * velocity[name] + noised / step.expected_batch_size
            theta[name] = theta[name] - step.learning_rate * velocity[name]
        found.append(dict(theta))
    return found
