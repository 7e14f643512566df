"""Checks that gradients that are never made are clipped as those that are; the seeded faults of test_models_modes.py
must make the named one fail."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from refdp.models import Network
from refdp.models.layers import (
    AvgPool2d,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    GroupNorm,
    Layer,
    Linear,
    MaxPool2d,
    Relu,
    Residual,
    Tanh,
    WsConv2d,
)

MODES = ("ghost", "hybrid")
TOLERANCE = {np.float64: 1e-8, np.float32: 1e-4}


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Up to four image layers, residual blocks among them, and one or two linear ones."""
    shape = draw(st.tuples(st.integers(3, 7), st.integers(3, 7), st.integers(1, 3)))
    layers: list[tuple[str, Layer]] = []
    now = shape
    for i in range(draw(st.integers(0, 4))):
        layer = draw(_image_layers(now))
        layers.append((f"layer{i}", layer))
        now = layer.output_shape(now)
    pooled = draw(st.booleans())
    layers.append(("pool", GlobalAvgPool2d() if pooled else Flatten()))
    features = layers[-1][1].output_shape(now)[0]
    if draw(st.booleans()):
        hidden = draw(st.integers(1, 6))
        layers += [("fc1", Linear(features, hidden)), ("act", draw(st.sampled_from((Relu(), Tanh()))))]
        features = hidden
    layers.append(("fc2", Linear(features, 3)))
    return Network(layers, shape, 3)


@st.composite
def _image_layers(draw: st.DrawFn, shape: tuple[int, ...]) -> Layer:
    height, width, channels = shape
    kinds = ["conv", "ws", "relu", "tanh", "residual"]
    if min(height, width) >= 2:
        kinds += ["max", "average"]
    if height * width > 1:
        kinds += ["norm"]
    kind = draw(st.sampled_from(kinds))
    if kind in ("conv", "ws"):
        return draw(_convolutions(shape, kind))
    if kind == "norm":
        groups = draw(st.sampled_from([g for g in range(1, channels + 1) if channels % g == 0]))
        return GroupNorm(groups, channels)
    if kind == "residual":
        bare = Conv2d(channels, channels, 3, padding=1)
        scaled = WsConv2d(channels, channels, 3, padding=1, standardisation="scaled")
        main = draw(st.sampled_from((bare, scaled)))
        aside = (("down", Conv2d(channels, channels, 1, bias=False)),) if draw(st.booleans()) else ()
        return Residual((("conv1", main), ("act", Relu()), ("conv2", bare)), aside)
    pools = {"max": MaxPool2d(2, 1), "average": AvgPool2d(2, 2), "relu": Relu(), "tanh": Tanh()}
    return pools[kind]


@st.composite
def _convolutions(draw: st.DrawFn, shape: tuple[int, ...], kind: str) -> Layer:
    kernel = draw(st.integers(1, min(3, *shape[:2])))
    out, stride, padding = draw(st.integers(1, 4)), draw(st.integers(1, 2)), draw(st.integers(0, 1))
    bias = draw(st.booleans())
    if kind == "conv" or kernel * kernel * shape[2] == 1:
        return Conv2d(shape[2], out, kernel, stride, padding, bias)
    standardisation = draw(st.sampled_from(("unbiased", "scaled")))
    return WsConv2d(shape[2], out, kernel, stride, padding, bias, standardisation)


def problem(
    network: Network, batch: int, dtype: type, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(theta, x, labels)."""
    rng = np.random.default_rng(seed)
    theta = (network.initialise(rng) + 0.1 * rng.standard_normal(network.size)).astype(dtype)
    x = rng.standard_normal((batch, *network.input_shape)).astype(dtype)
    return theta, x, rng.integers(network.num_classes, size=batch)


def rows_of(network: Network, theta: np.ndarray, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Per-sample gradients, in float64."""
    rows = np.empty((len(x), network.size), dtype=theta.dtype)
    network.per_sample_gradients(np, theta, x, labels, rows)
    return rows.astype(np.float64)


def check_norms(network: Network, dtype: type, seed: int = 0, batch: int = 4) -> None:
    """Each tensor's norm is that of its gradient; of a ghost's, up to what cancels between its positions."""
    theta, x, labels = problem(network, batch, dtype, seed)
    rows = rows_of(network, theta, x, labels)
    squares = [(rows[:, where] ** 2).sum(axis=1) for where, _ in network.parameters.values()]
    wanted = np.sqrt(np.stack(squares, axis=1))
    for mode in MODES:
        _, held = network.held_gradients(np, theta, x, labels, mode)
        found = np.sqrt(held.squares(np))
        assert found.dtype == np.float64
        slack = TOLERANCE[dtype] * (1e-2 + wanted.max(initial=0))
        np.testing.assert_allclose(found, wanted, rtol=TOLERANCE[dtype], atol=slack, err_msg=mode)


def check_never_below(network: Network, seed: int = 0) -> None:
    """In float64, where making gradients costs no digits: a ghost's norm is at least the gradient's."""
    theta, x, labels = problem(network, 4, np.float64, seed)
    rows = rows_of(network, theta, x, labels)
    for mode in MODES:
        _, held = network.held_gradients(np, theta, x, labels, mode)
        found = held.squares(np)
        for i, (where, _) in enumerate(network.parameters.values()):
            exact = (rows[:, where] ** 2).sum(axis=1)
            assert (found[:, i] >= exact * (1 - 1e-13)).all(), f"{mode}: a norm is understated"


def check_sums(network: Network, dtype: type, seed: int = 0, batch: int = 4) -> None:
    """A weighted sum is that of the gradients: a weight for all tensors, and one for each."""
    theta, x, labels = problem(network, batch, dtype, seed)
    rows = rows_of(network, theta, x, labels)
    tensors = list(network.parameters.values())
    rng = np.random.default_rng(seed + 1)
    for columns in (1, len(tensors)):
        weights = rng.random((batch, columns)).astype(dtype)
        wide = np.broadcast_to(weights, (batch, len(tensors))).astype(np.float64)
        wanted = np.concatenate([wide[:, i] @ rows[:, where] for i, (where, _) in enumerate(tensors)])
        for mode in MODES:
            _, held = network.held_gradients(np, theta, x, labels, mode)
            found = held.weighted_sum(np, weights, None)
            assert found.dtype == dtype
            slack = TOLERANCE[dtype] * (1e-3 + abs(rows).max(initial=0))
            np.testing.assert_allclose(found, wanted, rtol=TOLERANCE[dtype], atol=slack, err_msg=mode)


def check_poisoned(network: Network, seed: int = 0) -> None:
    """A record of NaN has no usable norm, changes no other's, and adds nothing to a sum where it is dropped."""
    theta, x, labels = problem(network, 4, np.float32, seed)
    usable, weights = np.array([True, False, True, True]), np.full((4, 1), 0.5, np.float32)
    for mode in MODES:
        with np.errstate(all="ignore"):
            _, clean = network.held_gradients(np, theta, x, labels, mode)
            poisoned = x.copy()
            poisoned[1] = np.nan
            _, held = network.held_gradients(np, theta, poisoned, labels, mode)
            squares = held.squares(np)
            assert not np.isfinite(squares[1]).all(), f"{mode}: NaN has a norm"
            np.testing.assert_allclose(squares[usable], clean.squares(np)[usable], rtol=1e-12, err_msg=mode)
            found = held.weighted_sum(np, np.where(usable[:, None], weights, 0), usable)
            wanted = clean.weighted_sum(np, weights, usable)
        assert np.isfinite(wanted).all()
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6, err_msg=mode)


def mixed() -> Network:
    """Every kind of layer with parameters once, of both standardisations, each with a bias where it can have one."""
    block = Residual((("conv", WsConv2d(4, 4, 3, padding=1)), ("norm", GroupNorm(2, 4))))
    layers: list[tuple[str, Layer]] = [
        ("conv1", Conv2d(2, 3, 3, padding=1)),
        ("act1", Tanh()),
        ("conv2", WsConv2d(3, 4, 2, stride=2, bias=True, standardisation="scaled")),
        ("block", block),
        ("flat", Flatten()),
        ("fc1", Linear(3 * 2 * 4, 5)),
        ("act2", Tanh()),
        ("fc2", Linear(5, 3)),
    ]
    return Network(layers, (6, 5, 2), 3)


def check_mixed_norms() -> None:
    check_norms(mixed(), np.float64)


def check_mixed_sums() -> None:
    check_sums(mixed(), np.float64)


def check_mixed_poisoned() -> None:
    check_poisoned(mixed())


def check_cancelling() -> None:
    """Positions that nearly cancel: what is left is not lost, and not understated, in float32.

    The gradient of a filter is Σ_p dy_p x_p with x_p all but equal and Σ_p dy_p = 0.
    """
    layer = Conv2d(8, 2, 1, bias=False)
    rng = np.random.default_rng(0)
    x = (1.0 + 1e-3 * rng.standard_normal((3, 6, 6, 8))).astype(np.float32)
    dy = rng.standard_normal((3, 6, 6, 2))
    dy = (dy - dy.mean(axis=(1, 2), keepdims=True)).astype(np.float32)
    exact = np.einsum("bijo,bijc->boc", dy.astype(np.float64), x.astype(np.float64))
    params = {"weight": np.ones((2, 1, 1, 8), np.float32)}
    _, cache = layer.forward(np, params, x)
    found = np.sqrt(layer.squared_norms(np, params, cache, dy)["weight"])
    wanted = np.sqrt((exact**2).sum(axis=(1, 2)))
    assert (found >= wanted * (1 - 1e-12)).all(), "understated"
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


def check_projected(norms: tuple[float, ...] = (1.0, 1e-2, 1e-4, 1e-6, 1e-8, 0.0)) -> None:
    """Standardised filters whose gradients lie all but along what standardisation takes away, float32: scaled by
    1 / norm, one record adds at most 1, once its sum is mapped back as the engine does, in float64."""
    rng = np.random.default_rng(0)
    for size, kernel in ((4, 3), (3, 3), (1, 3), (2, 1), (5, 2)):
        layer = WsConv2d(size, 2, kernel, padding=kernel // 2)
        weight = rng.standard_normal((2, kernel, kernel, size)).astype(np.float32)
        patch = (weight[0] - weight[0].mean()).astype(np.float64)
        for along in (patch, np.ones_like(patch)):
            for rest in norms:
                x = np.zeros((3, 6, 6, size))
                x[:, :kernel, :kernel] = along + rest * rng.standard_normal((3, *along.shape))
                x32, params = x.astype(np.float32), layer.prepared(np, {"weight": weight})
                y, cache = layer.forward(np, params, x32)
                dy = np.zeros_like(y)
                at = kernel // 2  # the position whose patch is what was put into x
                dy[:, at, at, 0] = rng.standard_normal(3)
                rows = {"weight": np.empty((3, *weight.shape), np.float32)}
                _, held = layer.held(np, params, cache, dy, True, rows)
                norm = np.sqrt(held.squares["weight"])
                assert np.isfinite(norm).all()
                for b in range(3):
                    scale = np.zeros(3, np.float32)
                    scale[b] = np.nextafter(np.float32(1 / max(norm[b], 1e-30)), np.float32(0))
                    out = {"weight": np.empty(weight.shape, np.float32)}
                    held.weigh({"weight": scale}, None, out)
                    total = {"weight": out["weight"].astype(np.float64)}
                    assert held.finish is not None
                    held.finish(total)
                    added = float(np.linalg.norm(total["weight"]))
                    assert added <= 1 + 1e-12, f"a record adds {added!r} of 1"


ALL = (check_projected, check_mixed_norms, check_mixed_sums, check_mixed_poisoned, check_cancelling)
