"""Noise along directions that were fixed before it was drawn: what else the noised sum holds.

For a unit vector u that does not depend on z, u.z of independent standard normals is one again: of N draws the squares
add up to chi-square with N degrees of freedom, exactly. A sum that is not the recorded one (of gradients that are not
clipped, with a record in it twice, with weight decay) shows here although it is far too small, over all coordinates,
for the noise's scale to tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from refdp.crosscheck.training.noise.moments import chi_square, smallest
from refdp.crosscheck.training.noise.sample import Sample
from refdp.crosscheck.training.view import Arrays, StepView, double

Oddest = tuple[str, float]
"""A direction in words, and how many times it the noised sum holds besides."""


def along(view: StepView, sample: Sample, ratio: float = 1.0) -> tuple[float, Oddest] | None:
    """p-value of noise of standard deviation ``ratio`` along all known directions; the oddest one.

    None where no direction is known.
    """
    names = [tensor.name for tensor in sample.tensors]
    found = [_one(sample, words, _flat(arrays, names), ratio) for words, arrays in _whole(view)]
    found += _records(view, sample, names, ratio)
    known = [one for one in found if one is not None]
    if not known:
        return None
    return smallest([p for p, _ in known]), min(known)[1]


def _whole(view: StepView) -> Iterator[tuple[str, Mapping[str, np.ndarray]]]:
    """Directions of the whole batch, and of what was there before it."""
    if view.observed_sum is not None:
        yield "the clipped sum", view.observed_sum
    if view.gradients is not None and view.norms is not None and view.clipped_sum is not None:
        plain = view.sum_with(np.ones(len(view.norms)))
        yield "what clipping takes off", {n: plain[n] - values for n, values in view.clipped_sum.items()}
    if view.step.params:
        yield "the weights", double(view.step.params)
    if view.earlier and view.earlier[-1].clipped_sum:
        yield "the clipped sum of the step before", double(view.earlier[-1].clipped_sum)


def _records(
    view: StepView, sample: Sample, names: list[str], ratio: float
) -> list[tuple[float, Oddest] | None]:
    """Of every record's gradient."""
    gradients: Arrays | None = view.gradients
    if gradients is None or view.usable is None or not set(names) <= set(gradients):
        return []
    records = np.flatnonzero(view.usable)
    products, squares = np.zeros((len(records), len(sample.rows))), np.zeros(len(records))
    for tensor in sample.tensors:
        own = gradients[tensor.name][records].reshape(len(records), tensor.rows.shape[1])
        products += own @ tensor.rows.T
        squares += np.square(own).sum(axis=1)
    return [
        _judged(sample, f"the gradient of record {record} of the batch", own, float(square), ratio)
        for record, own, square in zip(records, products, squares, strict=True)
    ]


def _flat(arrays: Mapping[str, np.ndarray], names: list[str]) -> np.ndarray | None:
    if not set(names) <= set(arrays):
        return None
    return np.concatenate([np.ravel(arrays[name]) for name in names])


def _one(
    sample: Sample, words: str, direction: np.ndarray | None, ratio: float
) -> tuple[float, Oddest] | None:
    if direction is None or direction.size != sample.rows.shape[1]:
        return None
    return _judged(sample, words, sample.rows @ direction, float(direction @ direction), ratio)


def _judged(
    sample: Sample, words: str, products: np.ndarray, square: float, ratio: float
) -> tuple[float, Oddest] | None:
    """products: of the direction and each draw [N]; square: the direction's."""
    if not 0 < square < np.inf or not np.isfinite(products).all():
        return None
    length = float(np.linalg.norm(products)) / square**0.5 / ratio
    times = float(products.mean()) / square * sample.std
    return chi_square(length, sample.pool.error / ratio, len(products)), (words, times)
