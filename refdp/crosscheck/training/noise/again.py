"""The noise of a step drawn again from its recorded seed.

Orders and layouts that are tried, since a recorder's names do not say: parameters in the order recorded (torch-cpu), or
that or sorted by name, as jax orders a dictionary's leaves (jax-threefry); and for jax weights as recorded, or drawn as
JAX lays them out, [in, out] and [height, width, in, out]. A match is to 1e-6 on every entry: nothing else gives it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from refdp.crosscheck.training.noise.sample import Sample
from refdp.crosscheck.training.result import Difference, differences
from refdp.crosscheck.training.view import Arrays
from refdp.errors import RefDPError
from refdp.replay.step_noise import Shapes, TorchSteps, jax_step
from refdp.traces import TracedStep

GENERATORS = ("torch-cpu", "jax-threefry")
CLOSE = 1e-6
"""How far a value may be from the framework's own: times the standard deviation and max(1, |z|)."""


@dataclass(frozen=True)
class Replayed:
    """Noise beside what its seed gives.

    Attributes:
        how: generator, order and layout, in words.
        matches: every entry, to ``CLOSE`` and the rounding of the recorded sums.
        differences: by parameter.
    """

    how: str
    matches: bool
    differences: tuple[Difference, ...]


def replay(step: TracedStep, sample: Sample) -> Replayed | str:
    """The closest of what the seed can give, or why the noise cannot be drawn again."""
    if step.generator is None or step.seed is None:
        return "generator or seed was not recorded"
    if step.generator not in GENERATORS:
        return f"generator {step.generator!r} is none of {', '.join(GENERATORS)}"
    if step.step is None:
        return "the number of the step in its run was not recorded"
    if len(sample.rows) > 1:
        return f"{len(sample.rows)} draws of one step were recorded"
    found = {tensor.name: tensor.z[0] * sample.std for tensor in sample.tensors}
    best: Replayed | None = None
    try:
        for how, drawn in _candidates(step):
            expected = {name: drawn[name] * np.float32(sample.std) for name in found}
            gaps = differences(found, {name: values.astype(np.float64) for name, values in expected.items()})
            one = Replayed(how, _same(sample, drawn), gaps)
            if one.matches:
                return one
            best = one if best is None or _distance(one) < _distance(best) else best
    except RefDPError as error:
        return str(error)
    return best or "no parameter was recorded"


def _distance(one: Replayed) -> float:
    return max((gap.relative for gap in one.differences), default=0.0)


def _same(sample: Sample, drawn: Arrays) -> bool:
    """Every entry within ``CLOSE`` and its rounding, and what the sum itself may be off by over all of them."""
    for tensor in sample.tensors:
        z = drawn[tensor.name].astype(np.float64)
        gap, close = np.abs(tensor.z[0] - z), CLOSE * np.maximum(1.0, np.abs(z))
        if not (gap <= close + tensor.rounding[0] + tensor.sum_error).all():
            return False
        if np.linalg.norm(gap) > np.linalg.norm(close) + tensor.error():
            return False
    return True


def _candidates(step: TracedStep) -> Iterator[tuple[str, Arrays]]:
    """Standard normals by name, however the seed may have been used."""
    assert step.seed is not None
    assert step.step is not None
    shapes = dict(step.shapes)
    shapes |= {name: step.draws(name).shape[1:] for name in step.noised_sum}
    recorded = list(step.params if set(step.noised_sum) <= set(step.params) else step.noised_sum)
    if step.generator == "torch-cpu":
        own = _torch_steps(step.seed, tuple(shapes[name] for name in recorded)).at(step.step)
        yield "torch-cpu, parameters in the order recorded", dict(zip(recorded, own, strict=True))
        return
    for order, names in {"in the order recorded": recorded, "by name": sorted(recorded)}.items():
        if order == "by name" and names == recorded:
            continue
        for layout, native in (("as recorded", False), ("in JAX's layouts", True)):
            asked: Shapes = [_native(shapes[name]) if native else shapes[name] for name in names]
            own = jax_step(step.seed, asked, step.step)
            drawn = {name: _recorded(z) if native else z for name, z in zip(names, own, strict=True)}
            yield f"jax-threefry, parameters {order}, weights {layout}", drawn


@lru_cache(maxsize=4)
def _torch_steps(seed: int, shapes: tuple[tuple[int, ...], ...]) -> TorchSteps:
    """One a run, so that each of its steps continues where the one before ended."""
    return TorchSteps(seed, shapes)


def _native(shape: tuple[int, ...]) -> tuple[int, ...]:
    """PyTorch's [out, in] and [out, in, height, width] -> JAX's [in, out] and [height, width, in, out]."""
    if len(shape) == 4:
        return (shape[2], shape[3], shape[1], shape[0])
    return shape[::-1] if len(shape) == 2 else shape


def _recorded(values: np.ndarray) -> np.ndarray:
    """The inverse, of values."""
    if values.ndim == 4:
        return values.transpose(3, 2, 0, 1)
    return values.T if values.ndim == 2 else values
