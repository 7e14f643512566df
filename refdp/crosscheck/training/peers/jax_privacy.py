"""JAX-Privacy 2: ``clipping.clipped_grad`` and ``noise_addition.gaussian_privatizer``, used as it documents them."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from pathlib import Path

PACKAGE = "jax-privacy"
METHODS = {"jax-privacy": {"grad_sample": True, "modules": False}}


def load() -> str:
    """Import; the version."""
    warnings.simplefilter("ignore")
    sys.path.insert(0, str(Path(__file__).with_name("shared")))
    import_module("jax_privacy.clipping")
    return str(import_module("importlib.metadata").version("jax-privacy"))


def answer(method: str, case: dict) -> dict:
    """Per-sample gradients are its clipped sums of single samples with an infinite clip norm."""
    import jax
    import jax.numpy as jnp
    from jax_privacy import clipping, noise_addition

    run = import_module("jax_steps").Run(case, method, "jax-privacy", load())

    def summed(clip_norm: float) -> object:
        return jax.jit(
            clipping.clipped_grad(
                run.loss,
                l2_clip_norm=clip_norm,
                batch_argnums=(1, 2),
                keep_batch_dim=False,
                return_grad_norms=True,
            )
        )

    alone = summed(float("inf"))
    settings = run.steps[0].settings
    clip = summed(settings["clip_norm"])
    privatizer = noise_addition.gaussian_privatizer(
        stddev=settings["noise_multiplier"] * settings["clip_norm"],
        prng_key=jax.random.key(settings["seed"]),
    )
    state = privatizer.init(run.weights)
    for step in run.steps:
        x, y = run.batch(step)
        singles = [alone(run.weights, x[b : b + 1], y[b : b + 1])[0] for b in range(len(x))]  # type: ignore[operator]
        gradients = {name: jnp.stack([one[name] for one in singles]) for name in run.weights}
        clipped, aux = clip(run.weights, x, y)  # type: ignore[operator]
        noised, state = privatizer.update(clipped, state)
        run.finish(
            step,
            x,
            y,
            noised,
            "jax-threefry",
            grad_sample=gradients,
            norms=aux.grad_norms,
            clipped_sum=clipped,
        )
    return dict(run.recording.write(case["out"]))
