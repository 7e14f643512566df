"""Every layer's two backward passes, joint as the engine runs them.

On the host in float64 against central differences; on the backend against the host in float64.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from refdp.backend import Backend, numpy_backend
from refdp.models import layers as all_layers
from refdp.models.layers import Layer
from refdp.selftest.case import Case, difference_error, largest, relative_error

_IMAGE = (6, 5, 4)
LIMITS = {np.float64: 1e-10, np.float32: 1e-5}


def instances() -> dict[str, tuple[Layer, tuple[int, ...]]]:
    """Layers to be checked, by name, and the shape of a sample for each."""
    conv = all_layers.Conv2d(4, 6, kernel=3, stride=2, padding=1)
    ws = all_layers.WsConv2d(4, 4, kernel=3, padding=1)
    block = all_layers.Residual((("conv1", ws), ("gn1", all_layers.GroupNorm(2, 4))))
    return {
        "linear": (all_layers.Linear(7, 5), (7,)),
        "conv2d": (conv, _IMAGE),
        "conv2d 1x1": (all_layers.Conv2d(4, 3, kernel=1), _IMAGE),
        "ws_conv2d": (all_layers.WsConv2d(4, 6, kernel=3, padding=1), _IMAGE),
        "group_norm": (all_layers.GroupNorm(2, 4), _IMAGE),
        "residual": (block, _IMAGE),
        "max_pool2d": (all_layers.MaxPool2d(2, 1), _IMAGE),
        "avg_pool2d": (all_layers.AvgPool2d(2, 2), (6, 6, 4)),
        "global_avg_pool2d": (all_layers.GlobalAvgPool2d(), _IMAGE),
        "flatten": (all_layers.Flatten(), _IMAGE),
        "relu": (all_layers.Relu(), _IMAGE),
        "tanh": (all_layers.Tanh(), _IMAGE),
    }


def cases(backend: Backend, seed: int) -> Iterator[Case]:
    """Finite differences, then the backend in float64 and float32."""
    for name, (layer, shape) in instances().items():
        yield Case(
            "layer",
            f"{name}, against finite differences",
            "largest error",
            1e-6,
            partial(_against_differences, layer, shape, seed),
        )
        for dtype, limit in LIMITS.items():
            if dtype is np.float64 and backend.name == "numpy":
                continue  # the same computation twice
            yield Case(
                "layer",
                f"{name}, {backend.name} {dtype.__name__}",
                "largest error",
                limit,
                partial(_against_host, layer, shape, seed, backend, dtype),
            )


def _problem(layer: Layer, shape: tuple[int, ...], seed: int, batch: int = 3) -> tuple[Any, ...]:
    rng = np.random.default_rng([seed, 1])
    params = {key: rng.standard_normal(size) for key, size in layer.parameter_shapes().items()}
    dy_shape = (batch, *layer.output_shape(shape))
    # float32 numbers, so that every type computes at the very same point
    made = rng.standard_normal((batch, *shape)), rng.standard_normal(dy_shape)
    x, dy = (values.astype(np.float32).astype(np.float64) for values in made)
    return {key: p.astype(np.float32).astype(np.float64) for key, p in params.items()}, x, dy


def _backward(
    layer: Layer, backend: Backend, params: dict[str, Any], x: Any, dy: Any, dtype: Any
) -> list[Any]:
    """Output, dx and the per-sample gradients, on the host; gradients start as NaN."""
    put = {key: backend.asarray(p.astype(dtype)) for key, p in params.items()}
    xp, x, dy = backend.xp, backend.asarray(x.astype(dtype)), backend.asarray(dy.astype(dtype))
    out = {key: xp.full((len(x), *p.shape), np.nan, dtype=dtype) for key, p in params.items()}
    y, cache = layer.forward(xp, put, x)
    y = backend.to_host(y).copy()
    dx = layer.backward(xp, put, cache, dy, out, True)
    return [y, backend.to_host(dx), *(backend.to_host(out[key]) for key in params)]


def _against_host(layer: Layer, shape: tuple[int, ...], seed: int, backend: Backend, dtype: Any) -> float:
    params, x, dy = _problem(layer, shape, seed)
    wanted = _backward(layer, numpy_backend(), params, x, dy, np.float64)
    found = _backward(layer, backend, params, x, dy, dtype)
    return largest([relative_error(f, w) for f, w in zip(found, wanted, strict=True)])


def _inner(a: Any, b: Any) -> Any:
    """The inner product of each sample."""
    return (a * b).reshape(len(a), -1).sum(axis=1)


def _against_differences(layer: Layer, shape: tuple[int, ...], seed: int) -> float:
    params, x, dy = _problem(layer, shape, seed)
    _, dx, *rows = _backward(layer, numpy_backend(), params, x, dy, np.float64)

    def f(params: dict[str, Any], x: Any) -> Any:
        y, _ = layer.forward(np, params, x)
        return _inner(y, dy)

    rng = np.random.default_rng([seed, 2])
    errors = []
    for _ in range(3):
        v = rng.standard_normal(x.shape)
        errors.append(difference_error(_inner(dx, v), partial(lambda v, h: f(params, x + h * v), v)))
        for row, (key, values) in zip(rows, params.items(), strict=True):
            v = rng.standard_normal(values.shape)
            moved = partial(lambda key, v, h: f({**params, key: params[key] + h * v}, x), key, v)
            errors.append(difference_error(_inner(row, v), moved))
    return largest(errors)
