"""How far recorded arrays are from what a cause gives, and the few numbers that are estimated from them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from refdp.crosscheck.training.result import DIFFERS, Cause, Stage, differences
from refdp.crosscheck.training.view import Arrays, StepView

Named = Mapping[str, np.ndarray]


def differs(stage: Stage) -> bool:
    """Whether the stage was found to differ: most causes explain nothing else."""
    return stage.status == DIFFERS


def misfit(found: Named, expected: Named) -> float:
    """The largest relative difference over all parameters, as stages measure it; inf where one side is NaN."""
    return max((d.relative for d in differences(dict(found), dict(expected))), default=0.0)


def scaled(arrays: Named, factor: float) -> Arrays:
    """factor * arrays."""
    return {name: factor * values for name, values in arrays.items()}


def added(first: Named, second: Named, factor: float = 1.0) -> Arrays:
    """first + factor * second."""
    with np.errstate(all="ignore"):
        return {name: values + factor * second[name] for name, values in first.items()}


def inner(first: Named, second: Named) -> float:
    """Sum of products over all parameters."""
    with np.errstate(all="ignore"):
        return float(sum(np.vdot(values, second[name]) for name, values in first.items()))


def multiple(found: Named, basis: Named) -> float:
    """The c for which c * basis is closest to found; NaN where basis is zero or either is not finite."""
    square = inner(basis, basis)
    return inner(found, basis) / square if 0.0 < square < np.inf else float("nan")


def near(value: float, target: float, tolerance: float) -> bool:
    """Within ``tolerance``, relative to the target."""
    return abs(value - target) <= tolerance * abs(target)


def rows(arrays: Named) -> np.ndarray:
    """Per-sample arrays [B, *shape] by name as one matrix [B, D]."""
    return np.concatenate([v.reshape(len(v), math.prod(v.shape[1:])) for v in arrays.values()], axis=1)


def flat(arrays: Named) -> np.ndarray:
    """Arrays [*shape] by name as one vector [D]."""
    return np.concatenate([np.asarray(values, dtype=np.float64).ravel() for values in arrays.values()])


def is_bias(name: str) -> bool:
    """Whether a parameter is a bias, by its name."""
    return name.rpartition(".")[2] == "bias"


def layer_of(name: str) -> str:
    """``conv1.weight`` -> ``conv1``."""
    return name.rpartition(".")[0]


def tensor_norms(gradients: Named) -> np.ndarray:
    """Norms of each parameter's gradients: [B, L], in the order of the names."""
    with np.errstate(all="ignore"):
        squares = [np.square(v).sum(axis=tuple(range(1, v.ndim))) for v in gradients.values()]
    return np.sqrt(np.stack(squares, axis=1))


def layer_norms(gradients: Named) -> Arrays:
    """Norms of each layer's gradients [B], weight and bias together, by the layer's name."""
    squares: Arrays = {}
    for name, norms in zip(gradients, tensor_norms(gradients).T, strict=True):
        squares[layer_of(name)] = squares.get(layer_of(name), 0.0) + norms**2
    return {name: np.sqrt(values) for name, values in squares.items()}


def clip_scales(norms: np.ndarray, clip_norm: float) -> np.ndarray:
    """min(1, C / n), 0 where n is not finite."""
    usable = np.isfinite(norms)
    return np.where(usable, clip_norm / np.maximum(np.where(usable, norms, 1.0), clip_norm), 0.0)


def sum_by_tensor(view: StepView, scales: np.ndarray) -> Arrays:
    """Σ_b scales[b, l] gradients[b] of tensor l, for scales [B, L]; what is not usable adds nothing."""
    assert view.gradients is not None
    assert view.usable is not None
    usable = view.usable
    kept = np.where(usable[:, None], scales, 0.0)
    sums: Arrays = {}
    for place, (name, values) in enumerate(view.gradients.items()):
        wide = usable.reshape(-1, *(1,) * (values.ndim - 1))
        sums[name] = np.tensordot(kept[:, place], np.where(wide, values, 0.0), axes=1)
    return sums


def sizes_of_batch(view: StepView) -> dict[float, str]:
    """Numbers that a sum may be divided by, > 0 and != 1, in words."""
    step = view.step
    named = (
        ("the number of records in this batch", step.batch_size),
        ("the expected batch size", step.expected_batch_size),
        ("the divisor", step.divisor),
    )
    words: dict[float, str] = {}
    for text, value in named:
        if value is not None and value > 0 and value != 1:
            words[float(value)] = f"{words[float(value)]}, {text}" if float(value) in words else text
    return words


def best(causes: list[Cause], tolerance: float) -> Cause | None:
    """The closest of those within tolerance."""
    return min((c for c in causes if c.error <= tolerance), key=lambda cause: cause.error, default=None)
