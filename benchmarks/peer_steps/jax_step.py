"""JAX: the whole step, one jitted function, per-sample gradients by vmap(grad)."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import jax_models  # refdp/crosscheck/training/peers/shared
import numpy as np
from jax import Array
from jax_models import Weights

from peer_steps.base import Step
from peer_steps.inputs import LEARNING_RATE, Inputs


def make(mode: str, inputs: Inputs) -> Step:
    """There is one mode."""
    return JaxStep(inputs)


@partial(jax.jit, static_argnums=0)
def _sum(model: str, weights: Weights, x: Array, y: Array, clip: float) -> Weights:
    """The sum of clipped gradients."""
    gradients = jax.vmap(jax.grad(partial(jax_models.loss, model)), in_axes=(None, 0, 0))(weights, x, y)
    squares = sum(jnp.square(values.reshape(len(x), -1)).sum(1) for values in gradients.values())
    scales = jnp.minimum(1, clip / jnp.sqrt(squares))
    return {name: jnp.tensordot(scales, values, 1) for name, values in gradients.items()}


@partial(jax.jit, static_argnums=0, donate_argnums=(1, 2))
def _step(model: str, weights: Weights, key: Array, x: Array, y: Array, clip: float) -> tuple[Weights, Array]:
    total = _sum(model, weights, x, y, clip)
    key, *keys = jax.random.split(key, 1 + len(total))
    after = {}
    for one, (name, values) in zip(keys, total.items(), strict=True):
        noised = values + clip * jax.random.normal(one, values.shape)
        after[name] = weights[name] - LEARNING_RATE / len(x) * noised
    return after, key


class JaxStep(Step):
    """XLA's own choice of threads."""

    def __init__(self, inputs: Inputs) -> None:
        self.versions = {"jax": jax.__version__, "jaxlib": jax.lib.__version__}
        self._model, self._clip, self._key = inputs.model, inputs.clip, jax.random.key(0)
        self._x, self._y = jnp.asarray(inputs.x), jnp.asarray(inputs.y)
        self._weights = {
            name: jnp.asarray(values.transpose(2, 3, 1, 0) if values.ndim == 4 else values)
            for name, values in inputs.weights.items()
        }

    def step(self) -> None:
        self._weights, self._key = jax.block_until_ready(
            _step(self._model, self._weights, self._key, self._x, self._y, self._clip)
        )

    def parameters(self) -> int:
        return sum(values.size for values in self._weights.values())

    def clipped_sum(self) -> dict[str, np.ndarray]:
        found = _sum(self._model, self._weights, self._x, self._y, self._clip)
        arrays = {name: np.asarray(values) for name, values in found.items()}
        return {
            name: values.transpose(3, 2, 0, 1) if values.ndim == 4 else values
            for name, values in arrays.items()
        }
