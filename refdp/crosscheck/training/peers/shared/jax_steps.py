"""What peers that run JAX share; weights, gradients and noise in PyTorch's layouts. Needs jax and numpy."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import jax_models
import numpy as np
import trace_files
from jax import Array

Weights = dict[str, Array]


class Run:
    """A case in JAX.

    Attributes:
        steps: what each starts from.
        loss: (weights, x [H, W, C] or [inputs], label) -> cross-entropy of one sample.
        weights: as they are now.
        recording: the trace.
    """

    def __init__(self, case: Mapping[str, Any], method: str, package: str, version: str) -> None:
        if case.get("model") not in jax_models.MODELS:
            known = ", ".join(jax_models.MODELS)
            raise NotImplementedError(f"only refdp's models are written in JAX here: {known}")
        self.steps, self._meta = trace_files.read(case["inputs"], case.get("steps", 1))
        given = self.steps[0].params
        if next(iter(given.values())).dtype == np.float64:
            jax.config.update("jax_enable_x64", True)
        self.weights: Weights = {name: jnp.asarray(given[name]) for name in sorted(given)}
        self.loss = partial(loss, case["model"])
        self._velocity = {name: jnp.zeros_like(values) for name, values in self.weights.items()}
        meta = {
            **self._meta,
            "framework": package,
            "version": version,
            "method": method,
            "jax": jax.__version__,
        }
        if next(iter(self.steps)).x.ndim == 4:
            meta["layout"] = "channels-last"
        self.recording = trace_files.Recording(case.get("stages", list(trace_files.STAGES)), meta)

    def batch(self, step: trace_files.Step) -> tuple[Array, Array]:
        """x channels-last, in the weights' type; y."""
        x = step.x
        if x.ndim == 4 and self._meta.get("layout") == "channels-first":
            x = np.moveaxis(x, 1, -1)
        return jnp.asarray(x, next(iter(self.weights.values())).dtype), jnp.asarray(step.y)

    def finish(
        self, step: trace_files.Step, x: Array, y: Array, noised: Weights, keys: str, **stages: Any
    ) -> None:
        """Divide, take the step by SGD with heavy-ball momentum, and record it.

        Args:
            noised: the sum with noise; keys: how the keys of its noise follow from the seed.
        """
        settings, before = step.settings, self.weights
        mass, rate = settings.get("momentum", 0.0), settings["learning_rate"]
        mean = {name: values / settings["expected_batch_size"] for name, values in noised.items()}
        self._velocity = {name: mass * self._velocity[name] + values for name, values in mean.items()}
        self.weights = {name: values - rate * self._velocity[name] for name, values in before.items()}
        self.recording.add(
            np.asarray(x),
            np.asarray(y),
            {**settings, "divisor": settings["expected_batch_size"], "generator": keys},
            param=arrays(before),
            noised_sum=arrays(noised),
            param_after=arrays(self.weights),
            **{kind: arrays(v) if isinstance(v, dict) else np.asarray(v) for kind, v in stages.items()},
        )


def loss(model: str, weights: Weights, x: Array, y: Array) -> Array:
    """Cross-entropy of one sample, weights in PyTorch's layouts."""
    native = {name: v.transpose(2, 3, 1, 0) if v.ndim == 4 else v for name, v in weights.items()}
    found: Array = jax_models.loss(model, native, x, y)
    return found


def arrays(values: Weights) -> dict[str, np.ndarray]:
    """On the host."""
    return {name: np.asarray(one) for name, one in values.items()}
