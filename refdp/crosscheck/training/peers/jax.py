"""JAX without a library for privacy: jit(vmap(grad)), clipping by min(1, C / n), jax.random.normal, SGD by hand."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

PACKAGE = "jax"
METHODS = {"jax-vmap": {"grad_sample": True, "modules": False}}


def load() -> str:
    """Import; the version."""
    warnings.simplefilter("ignore")
    sys.path.insert(0, str(Path(__file__).with_name("shared")))
    return str(import_module("jax").__version__)


def answer(method: str, case: dict) -> dict:
    """The run's key is split in every step, and what is split off again: one key a parameter, names sorted."""
    import jax
    import jax.numpy as jnp

    run = import_module("jax_steps").Run(case, method, "jax", str(jax.__version__))
    per_sample = jax.vmap(jax.grad(run.loss), in_axes=(None, 0, 0))

    @jax.jit
    def sums(weights: Any, x: Any, y: Any, clip_norm: float) -> Any:
        gradients = per_sample(weights, x, y)
        squares = [jnp.square(values.reshape(len(x), -1)).sum(1) for values in gradients.values()]
        norms = jnp.sqrt(sum(squares))
        scales = jnp.minimum(1, clip_norm / norms)  # of a zero gradient: inf, and so 1
        return gradients, norms, {name: jnp.tensordot(scales, v, 1) for name, v in gradients.items()}

    settings = run.steps[0].settings
    key = jax.random.key(settings["seed"])
    for step in run.steps:
        x, y = run.batch(step)
        gradients, norms, clipped = sums(run.weights, x, y, settings["clip_norm"])
        key, own = jax.random.split(key)
        deviation = settings["noise_multiplier"] * settings["clip_norm"]
        noised = {
            name: clipped[name]
            + deviation * jax.random.normal(leaf, clipped[name].shape, clipped[name].dtype)
            for name, leaf in zip(sorted(clipped), jax.random.split(own, len(clipped)), strict=True)
        }
        run.finish(
            step, x, y, noised, "jax-threefry", grad_sample=gradients, norms=norms, clipped_sum=clipped
        )
    return dict(run.recording.write(case["out"]))
