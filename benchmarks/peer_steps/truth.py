"""The inputs of a cell, and the clipped sum that all contenders must find, from refdp's gradients in float64."""

from __future__ import annotations

import numpy as np

from peer_steps.inputs import Inputs
from refdp.models import models
from refdp.models.network import Network
from refdp.models.shapes import natural

_ROUNDING = 1e-7  # of a float32, relative


def network(model: str) -> Network:
    """refdp's own."""
    return models.create(model).build(*natural(model))


def timed_inputs(model: str, batch: int) -> Inputs:
    """The records of ``refdp.bench.step``, initial weights, clip norm 1."""
    net, (x, y) = network(model), _data(model, batch)
    theta = net.initialise(np.random.default_rng(1), dtype=np.float32)
    return Inputs(model, x, y, 1.0, net.to_framework(theta))


def checked_inputs(model: str, batch: int) -> tuple[Inputs, dict[str, np.ndarray]]:
    """Inputs whose weights have no gain of 1 or bias of 0, clipped at the median norm; and the sum they must give.

    With millions of relus one may lie so near its kink that rounding decides its slope, whoever computes; such weights
    are passed over: those where changes of some float32 roundings change a float64 gradient by more than 1e-5.
    """
    net, (x, y) = network(model), _data(model, batch)
    rng = np.random.default_rng(1)
    for _ in range(50):
        arrays = net.to_framework(net.initialise(rng, dtype=np.float32))
        for values in arrays.values():
            if values.ndim == 1:
                values += 0.2 * rng.standard_normal(values.shape, dtype=np.float32)
        theta = net.from_framework(arrays).astype(float)
        rows = _gradients(net, theta, x, y)
        norms = np.linalg.norm(rows, axis=1)
        nudged = (theta * (1 + _ROUNDING * rng.standard_normal(net.size)) for _ in range(3))
        moved = (np.linalg.norm(_gradients(net, other, x, y) - rows, axis=1) / norms for other in nudged)
        if all(values.max() < 1e-5 for values in moved):
            break
    else:
        raise RuntimeError(f"{model}: found no weights away from all kinks")
    clip = float(np.median(norms))
    total = np.minimum(1, clip / norms) @ rows
    return Inputs(model, x, y, clip, arrays), net.to_framework(total)


def _gradients(net: Network, theta: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    rows = np.empty((len(x), net.size))
    net.per_sample_gradients(np, theta, x.astype(float), y, rows)
    return rows


def difference(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> float:
    """Norm of the difference over the norm of what is wanted; inf where names or shapes differ."""
    if {k: v.shape for k, v in found.items()} != {k: v.shape for k, v in wanted.items()}:
        return float("inf")
    gaps = [float(np.square(found[name].astype(float) - wanted[name]).sum()) for name in wanted]
    return float(np.sqrt(sum(gaps) / sum(float(np.square(values).sum()) for values in wanted.values())))


def _data(model: str, batch: int) -> tuple[np.ndarray, np.ndarray]:
    shape, classes = natural(model)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, *shape), dtype=np.float32)
    return x, rng.integers(classes, size=batch)
