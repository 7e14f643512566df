"""Recorded sums -> noise in units of its standard deviation, and how well it is known."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from refdp.crosscheck.training.view import StepView


@dataclass(frozen=True)
class Tensor:
    """Noise of one parameter; everything in units of the noise's standard deviation.

    Attributes:
        name: of the parameter.
        z: [N, *shape], float64.
        rounding: the most by which adding noise to a sum has rounded each entry [N, *shape].
        noised: z and the sum together, as recorded [N, *shape].
        sum_error: the most, in Euclidean length, by which the sum of one draw is unknown; 0 where it was recorded.
    """

    name: str
    z: np.ndarray
    rounding: np.ndarray
    noised: np.ndarray
    sum_error: float = 0.0

    @cached_property
    def rows(self) -> np.ndarray:
        """z as [N, D]."""
        return self.z.reshape(len(self.z), -1)

    def error(self, size: int | None = None) -> float:
        """The most, in Euclidean length, by which the first ``size`` entries of all draws are unknown."""
        part = self.rounding.reshape(len(self.z), -1)[:, :size]
        return float(np.sqrt(np.square(part).sum())) + len(self.z) ** 0.5 * self.sum_error


@dataclass(frozen=True)
class Pool:
    """Entries that are looked at together, in standard deviations.

    Attributes:
        values, rounding: [n].
        error: the most, in Euclidean length, by which all of them together are unknown.
        sum_error: the most by which any one of them is, besides rounding.
    """

    values: np.ndarray
    rounding: np.ndarray
    error: float
    sum_error: float


@dataclass(frozen=True)
class Sample:
    """Noise of one step.

    Attributes:
        std: noise_multiplier * clip_norm, > 0.
        tensors: those of at least one entry, in the order recorded.
        not_judged: parameters left out: the sum itself is not finite, or was not recorded.
    """

    std: float
    tensors: tuple[Tensor, ...]
    not_judged: tuple[str, ...] = ()

    @cached_property
    def rows(self) -> np.ndarray:
        """All tensors side by side [N, D]."""
        return np.concatenate([tensor.rows for tensor in self.tensors], axis=1)

    @cached_property
    def errors(self) -> np.ndarray:
        """The most, in Euclidean length, by which each draw is unknown [N]."""
        squares = [
            (np.sqrt(np.square(t.rounding.reshape(len(t.z), -1)).sum(axis=1)) + t.sum_error) ** 2
            for t in self.tensors
        ]
        return np.sqrt(np.sum(squares, axis=0))

    @cached_property
    def pool(self) -> Pool:
        """All entries of all draws."""
        return Pool(
            self.rows.ravel(),
            np.concatenate([t.rounding.reshape(len(t.z), -1) for t in self.tensors], axis=1).ravel(),
            math.sqrt(sum(t.error() ** 2 for t in self.tensors)),
            math.sqrt(sum(t.sum_error**2 for t in self.tensors)),
        )


def joined(pools: Sequence[Pool]) -> Pool:
    """Entries of many steps."""
    return Pool(
        np.concatenate([pool.values for pool in pools]),
        np.concatenate([pool.rounding for pool in pools]),
        math.sqrt(sum(pool.error**2 for pool in pools)),
        max(pool.sum_error for pool in pools),
    )


def sample(view: StepView, tolerance: float) -> Sample | str:
    """Noise of a step, or why there is none that could be judged.

    What entries may be off by: half a unit in the last place of the noised sum and of the sum, in the noised sum's type
    (float32 where its values all are float32); and ``tolerance`` of the sum where refdp had to work it out itself.

    Raises nothing; noise_multiplier must be > 0.
    """
    step, total = view.step, view.observed_sum
    missing = reason(view)
    if missing is not None or total is None or step.noise_multiplier is None or step.clip_norm is None:
        return missing or "the clipped sum is not known"
    std = step.noise_multiplier * step.clip_norm
    if not 0 < std < np.inf:
        return f"noise_multiplier * clip_norm = {std!r}: no standard deviation that float64 can hold"
    tensors, left_out = [], [name for name in step.noised_sum if name not in total]
    whole = float(np.sqrt(sum(np.square(values[np.isfinite(values)]).sum() for values in total.values())))
    for name, noised, exact in pairs(view):
        if not np.isfinite(exact).all():
            left_out.append(name)
        elif exact.size:
            known = bool(step.clipped_sum)
            length = 0.0 if known else tolerance * max(float(np.linalg.norm(exact)), 1e-3 * whole)
            room = rounding(noised, exact) / std
            wide = noised.astype(np.float64)
            tensors.append(Tensor(name, (wide - exact) / std, room, wide / std, length / std))
    if not tensors:
        return "no parameter has a finite sum that noise could be told from"
    return Sample(std, tuple(tensors), tuple(left_out))


def reason(view: StepView) -> str | None:
    """Why noise cannot be told from the sum; None where it can."""
    step, total = view.step, view.observed_sum
    if not step.noised_sum:
        return "noised_sum was not recorded"
    for name in ("noise_multiplier", "clip_norm"):
        if getattr(step, name) is None and not (name == "clip_norm" and step.noise_multiplier == 0):
            return f"{name} was not recorded"
    if total is None:
        return "nothing to subtract from noised_sum: neither clipped_sum, gradients nor the model are known"
    if len({len(step.draws(name)) for name in step.noised_sum}) > 1:
        return "noised_sum holds more draws of one parameter than of another; record as many of each"
    return None


def pairs(view: StepView) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """name, noised sums [N, *shape] as recorded, the sum [*shape] in float64."""
    total = view.observed_sum or {}
    for name in view.step.noised_sum:
        if name in total:
            yield name, view.step.draws(name), total[name]


def not_finite(view: StepView) -> dict[str, int]:
    """Entries of the noised sum by name that are NaN or inf although the sum is not, where there are any."""
    counts = {
        name: int((~np.isfinite(noised) & np.isfinite(exact)).sum()) for name, noised, exact in pairs(view)
    }
    return {name: count for name, count in counts.items() if count}


def rounding(noised: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """The most that rounding can have moved fl(fl(exact) + noise) by: [N, *shape], float64; finite values only."""
    kind = noised.dtype
    with np.errstate(over="ignore"):
        if kind.itemsize > 4 and (noised.astype(np.float32) == noised).all():
            kind = np.dtype(np.float32)
        sizes = np.abs(noised.astype(kind)), np.abs(np.broadcast_to(exact, noised.shape).astype(kind))
        top = np.finfo(kind).max
        units = [np.spacing(np.minimum(size, top)).astype(np.float64) for size in sizes]
    return 0.5 * (units[0] + units[1])
