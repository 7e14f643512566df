"""Every registered model's losses and per-sample gradients, made or not.

A small version on the host in float64 against central differences; the model at its natural shape on the backend
against the host in float64. tanh takes the place of relu where a kink would disturb either.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from refdp.backend import Backend, numpy_backend
from refdp.models import Network, models
from refdp.models.shapes import natural
from refdp.selftest.case import Case, difference_error, largest, relative_error

_SMALL = {"mlp": (10,), "mnistnet": (28, 28, 1)}


def cases(backend: Backend, seed: int) -> Iterator[Case]:
    """Finite differences, then the backend in float64 and float32."""
    for name in models.names():
        yield Case(
            "model",
            f"{name}, against finite differences",
            "largest error",
            1e-5,
            partial(_against_differences, name, seed),
        )
        if backend.name != "numpy":
            yield Case(
                "model",
                f"{name}, {backend.name} float64",
                "largest error",
                1e-9,
                partial(_against_host, name, seed, backend, np.float64),
            )
        yield Case(
            "model",
            f"{name} with tanh, {backend.name} float32",
            "largest error",
            1e-4,
            partial(_against_host, _smooth(name), seed, backend, np.float32),
        )
        for mode in ("ghost", "hybrid"):
            yield Case(
                "model",
                f"{name}, {mode} against explicit, {backend.name} float64",
                "largest error",
                1e-8,
                partial(_against_explicit, name, mode, seed, backend),
            )


def _smooth(name: str) -> str:
    fields = getattr(models.get(name), "__dataclass_fields__", {})
    return f"{name}:activation=tanh" if "activation" in fields else name


def _small(name: str) -> Network:
    """With few enough parameters for differences to mean something."""
    model: Any = models.create(_smooth(name))
    shape = _SMALL.get(name, (8, 8, 3))
    if hasattr(model, "of_size"):
        model = models.create(f"{_smooth(name)},groups=2")
        small: Network = model.of_size((6, 6, 3), 5, widths=(4, 6, 8, 12), blocks=1)
        return small
    return model.build(shape, 5)


def _problem(network: Network, seed: int, batch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng([seed, 3])
    theta = network.initialise(rng).astype(np.float64)
    x = rng.standard_normal((batch, *network.input_shape)).astype(np.float32)
    return theta, x.astype(np.float64), rng.integers(network.num_classes, size=batch)


def _gradients(
    network: Network, backend: Backend, theta: np.ndarray, x: np.ndarray, labels: np.ndarray, dtype: Any
) -> tuple[np.ndarray, np.ndarray]:
    """(losses, rows), on the host; the rows start as NaN."""
    xp = backend.xp
    out = xp.full((len(x), network.size), np.nan, dtype=dtype)
    put = backend.asarray(theta.astype(dtype)), backend.asarray(x.astype(dtype)), backend.asarray(labels)
    losses = network.per_sample_gradients(xp, *put, out)
    return backend.to_host(losses), backend.to_host(out)


def _against_host(spec: str, seed: int, backend: Backend, dtype: Any) -> float:
    network = models.create(spec).build(*natural(spec))
    theta, x, labels = _problem(network, seed, 2)
    wanted, rows = _gradients(network, numpy_backend(), theta, x, labels, np.float64)
    losses, found = _gradients(network, backend, theta, x, labels, dtype)
    errors = [relative_error(f, w) for f, w in zip(found, rows, strict=True)]
    return largest([relative_error(losses, wanted), *errors])


def _against_explicit(name: str, mode: str, seed: int, backend: Backend) -> float:
    """Norms by tensor, and a sum with weights by tensor, of gradients that need not be made."""
    network = _small(name)
    theta, x, labels = _problem(network, seed, 3)
    _, rows = _gradients(network, numpy_backend(), theta, x, labels, np.float64)
    tensors = [where for where, _ in network.parameters.values()]
    norms = np.stack([np.linalg.norm(rows[:, where], axis=1) for where in tensors], axis=1)
    weights = np.random.default_rng([seed, 5]).random(norms.shape)
    total = np.concatenate([weights[:, i] @ rows[:, where] for i, where in enumerate(tensors)])
    xp = backend.xp
    put = backend.asarray(theta), backend.asarray(x), backend.asarray(labels)
    _, held = network.held_gradients(xp, *put, mode)
    found = backend.to_host(xp.sqrt(held.squares(xp)))
    summed = backend.to_host(held.weighted_sum(xp, backend.asarray(weights), None))
    return largest([relative_error(found, norms), relative_error(summed, total)])


def _against_differences(name: str, seed: int) -> float:
    network = _small(name)
    theta, x, labels = _problem(network, seed, 3)
    _, rows = _gradients(network, numpy_backend(), theta, x, labels, np.float64)

    def f(theta: np.ndarray) -> np.ndarray:
        logits = network.logits(np, theta, x)
        lost: np.ndarray = np.logaddexp.reduce(logits, axis=1) - logits[np.arange(len(x)), labels]
        return lost

    rng = np.random.default_rng([seed, 4])
    errors = []
    for where, _ in network.parameters.values():
        v = np.zeros(network.size)
        v[where] = rng.standard_normal(where.stop - where.start)
        v /= np.linalg.norm(v)
        scale = float(np.linalg.norm(rows[:, where], axis=1).max())
        errors.append(difference_error(rows @ v, partial(lambda v, h: f(theta + h * v), v), scale))
    return largest(errors)
