"""Standard normals of the k-th step of a run, drawn again from the run's seed, as two frameworks draw them.

torch-cpu       Opacus 1.6's ``DPOptimizer`` without secure mode, given ``torch.Generator().manual_seed(seed)``: for
                each step and then for each parameter, ``torch.normal(0, std, size=shape, generator=...)``
                (opacus/optimizers/optimizer.py, add_noise and _generate_noise), as ``make_private`` does where it is
                given as ``noise_generator``. Nothing else may draw from it.
jax-threefry    jax_privacy's ``gaussian_privatizer(stddev=std, prng_key=jax.random.key(seed))``: each step splits the
                key into the next step's and its own, and its own into a key for each leaf of the tree, which
                ``jax.random.normal`` takes (jax_privacy/noise_addition.py; optax.tree.random_like).

Both are multiplied by std = noise_multiplier * clip_norm afterwards; neither draws anything where that is 0. Values are
within 1e-6 max(1, |z|) of the framework's: held against torch 2.15.0 and jax 0.10.2 by tests/replay.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

import numpy as np

from refdp.errors import RefDPError
from refdp.replay import threefry
from refdp.replay.torch_generator import TorchGenerator
from refdp.validate import whole

LONGEST = 4_000_000_000
"""The most outputs of torch's generator that are passed over to reach a step (seconds)."""
WORTH = 4_000
"""Outputs that take as long as a parameter of few entries does."""
MOST_SPLITS = 1_000_000
"""The most steps of jax's chain of keys."""

Shapes = Sequence[tuple[int, ...]]


class TorchSteps:
    """Steps of one run by number; the next one costs nothing to reach, an earlier one starts over."""

    def __init__(self, seed: int, shapes: Shapes) -> None:
        self._start = TorchGenerator(seed)
        self._shapes = tuple(shapes)
        self._generator, self._next = copy.deepcopy(self._start), 0

    def at(self, step: int) -> list[np.ndarray]:
        """Of the 0-based ``step``: float32, one array a shape.

        Raises:
            RefDPError: step is no whole number >= 0, or further than ``LONGEST`` outputs.
        """
        whole(step=step)
        if step < self._next:
            self._generator, self._next = copy.deepcopy(self._start), 0
        sizes = [math.prod(shape) for shape in self._shapes]
        cost = sum(max(size, WORTH if size else 0) for size in sizes)
        if (step - self._next) * cost > LONGEST:
            raise RefDPError(
                f"step = {step}: {sum(sizes)} draws a step are too many to pass over; record an earlier step"
            )
        while self._next < step:
            for size in sizes:
                self._generator.pass_over(size)
            self._next += 1
        self._next += 1
        return [
            self._generator.normal(size).reshape(shape)
            for size, shape in zip(sizes, self._shapes, strict=True)
        ]


def jax_step(seed: int, shapes: Shapes, step: int) -> list[np.ndarray]:
    """Of the 0-based ``step``, leaves in the order given: float32.

    Raises:
        RefDPError: step is no whole number in [0, ``MOST_SPLITS``], or seed none in [0, 2^32).
    """
    whole(step=step)
    if step > MOST_SPLITS:
        raise RefDPError(f"step = {step}: must be <= {MOST_SPLITS} to be drawn again; record an earlier step")
    chain = threefry.key(seed)
    for _ in range(step):
        chain = threefry.split(chain, 2)[0]
    leaves = threefry.split(threefry.split(chain, 2)[1], len(shapes))
    return [
        threefry.normal(leaf, math.prod(shape)).reshape(shape)
        for leaf, shape in zip(leaves, shapes, strict=True)
    ]
