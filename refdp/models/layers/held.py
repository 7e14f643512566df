"""A chunk between its norms and its weighted sum: squared norms first, and what the sum is then made of.

A clipped sum needs each sample's norm over all layers before the first of its gradients can be scaled. So the backward
pass leaves, of every layer, the norms of its own parameters, and a function that adds the scaled gradients up.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

from refdp.backend import Array
from refdp.norms import squared_rows

Weigh = Callable[[dict[str, Array], Any, dict[str, Array]], None]
Finish = Callable[[dict[str, Array]], None]


class Held(NamedTuple):
    """What is held of a chunk.

    Attributes:
        squares: |d loss_b / d param|^2, float64 [B] by name.
        weigh: (weights [B] by name, usable [B] or None, out by name) writes Σ_b weights[name][b] d loss_b / d param
            into out[name] [*parameter_shape]. Where ``usable`` is given, samples that are not add nothing, though
            they hold NaN or inf.
        finish: turns, in place, sums of what ``weigh`` wrote into sums of gradients [*parameter_shape] by name; the
            same for all chunks at the same weights. None where they are that already.
        doubtful: [B], samples of which so much is taken away by ``finish`` that rounding would count: a chunk that has
            any is better done by explicit gradients. None where there cannot be any.
    """

    squares: dict[str, Array]
    weigh: Weigh
    finish: Finish | None = None
    doubtful: Any = None


def of_rows(xp: Any, rows: dict[str, Array]) -> Held:
    """Per-sample gradients [B, *parameter_shape] by name, held as they are, but for unusable ones: ``weigh`` overwrites
    those with zeros."""
    flat = {
        name: values.reshape(values.shape[0], math.prod(values.shape[1:])) for name, values in rows.items()
    }

    def weigh(weights: dict[str, Array], usable: Array | None, out: dict[str, Array]) -> None:
        for name, values in flat.items():
            if usable is not None:
                xp.copyto(values, xp.zeros_like(values[:1]), where=~usable[:, None])
            xp.matmul(weights[name], values, out=out[name].reshape(values.shape[1]))

    return Held({name: squared_rows(xp, values) for name, values in flat.items()}, weigh)


def keep(xp: Any, values: Array, usable: Array | None) -> Array:
    """values [B, ...] with 0 for the samples that are not usable."""
    if usable is None:
        return values
    return xp.where(usable.reshape(values.shape[0], *(1,) * (values.ndim - 1)), values, 0)


def merged(parts: list[tuple[str, Held]]) -> Held:
    """The parts as one, the names of each under its own: ``part.name``."""

    def weigh(weights: dict[str, Array], usable: Array | None, out: dict[str, Array]) -> None:
        for part, held in parts:
            own = {name: f"{part}.{name}" for name in held.squares}
            held.weigh(
                {name: weights[full] for name, full in own.items()},
                usable,
                {name: out[full] for name, full in own.items()},
            )

    def finish(sums: dict[str, Array]) -> None:
        for part, held in parts:
            if held.finish is not None:
                held.finish({name: sums[f"{part}.{name}"] for name in held.squares})

    squares = {f"{part}.{name}": values for part, held in parts for name, values in held.squares.items()}
    doubts = [held.doubtful for _, held in parts if held.doubtful is not None]
    doubtful = functools.reduce(operator.or_, doubts) if doubts else None
    return Held(squares, weigh, None if all(held.finish is None for _, held in parts) else finish, doubtful)
