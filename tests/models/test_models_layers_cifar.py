"""Standardised convolutions, group normalisation, average pools, residual blocks: any shape, and the edges."""

import gradient_checks as checks
import layer_checks
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from refdp.errors import RefDPError
from refdp.models import Network, layers
from refdp.models.layers import (
    AvgPool2d,
    BatchNorm,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    GroupNorm,
    Layer,
    Linear,
    Relu,
    Residual,
    WsConv2d,
)

FEW = settings(max_examples=25, deadline=None, derandomize=True, database=None)
SMALL = st.integers(1, 4)


@FEW
@given(
    batch=SMALL, height=SMALL, width=SMALL, channels=SMALL, out=SMALL, kernel=SMALL, stride=SMALL, pad=SMALL,
    kind=st.sampled_from(layer_checks.WS_KINDS), bias=st.booleans(),
)  # fmt: skip
def test_ws_conv2d_any_shape(batch, height, width, channels, out, kernel, stride, pad, kind, bias):
    assume(min(height, width) + 2 * pad >= kernel)
    assume(kernel * kernel * channels > 1)
    layer = WsConv2d(channels, out, kernel, stride, pad, bias=bias, standardisation=kind)
    params, x, _ = checks.layer_problem(layer, (height, width, channels), batch)
    used = layer_checks.standardised(params["weight"], kind, params.get("gain"))
    y, _ = layer.forward(np, params, x)
    wanted = checks.naive_conv2d(layer, {"weight": used, "bias": params.get("bias", np.zeros(out))}, x)
    np.testing.assert_allclose(y, wanted, rtol=1e-9, atol=1e-10)
    if (
        kernel * kernel * channels > 4
    ):  # with fewer weights a filter may be so short that differences are poor
        checks.check_layer(layer, (height, width, channels), batch, directions=1)


@FEW
@given(batch=SMALL, height=SMALL, width=SMALL, groups=SMALL, each=SMALL)
def test_group_norm_any_shape(batch, height, width, groups, each):
    assume(height * width * each > 2)  # of two values the normalised ones are ±1, and only eps lets them move
    layer = GroupNorm(groups, groups * each)
    params, x, _ = checks.layer_problem(layer, (height, width, groups * each), batch)
    y, _ = layer.forward(np, params, x)
    wanted = layer_checks.normalised(x, groups, params["weight"], params["bias"])
    np.testing.assert_allclose(y, wanted, rtol=1e-9, atol=1e-10)
    _, x, dy = checks.layer_problem(layer, (height, width, groups * each), batch)
    dx, out = checks.layer_gradients(layer, params, x, dy)
    for b in range(batch):  # a sample alone
        one = slice(b, b + 1)
        dx_one, out_one = checks.layer_gradients(layer, params, x[one], dy[one])
        np.testing.assert_allclose(dx[one], dx_one, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(out["weight"][one], out_one["weight"], rtol=1e-9, atol=1e-11)
    # dx is orthogonal to the constant of each group.
    sums = dx.reshape(batch, height * width, groups, each).sum(axis=(1, 3))
    np.testing.assert_allclose(sums, 0, atol=1e-10 * (1 + abs(dx).max()))


@FEW
@given(batch=SMALL, height=SMALL, width=SMALL, channels=SMALL, size=SMALL, stride=SMALL)
def test_avg_pool2d_any_shape(batch, height, width, channels, size, stride):
    assume(min(height, width) >= size)
    checks.check_layer(AvgPool2d(size, stride), (height, width, channels), batch, directions=1)


def test_pooling_a_constant_gives_it_back():
    x = np.full((2, 4, 4, 3), 0.7)
    np.testing.assert_allclose(AvgPool2d(2, 2).forward(np, {}, x)[0], 0.7, rtol=1e-15)
    np.testing.assert_allclose(GlobalAvgPool2d().forward(np, {}, x)[0], 0.7, rtol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", layer_checks.WS_KINDS)
def test_a_constant_filter_gives_zero_and_a_finite_gradient(kind, dtype):
    """std = 0: V = 0 and dW = (dV - mean(dV)) / eps (unbiased), gain (dV - mean(dV)) / 0.01 (scaled), as PyTorch."""
    layer, params, x, dy = layer_checks.ws_problem(kind)
    params["weight"][1] = 0.3
    params = {name: values.astype(dtype) for name, values in params.items()}
    x, dy = x.astype(dtype), dy.astype(dtype)
    y, cache = layer.forward(np, params, x)
    assert abs(y[..., 1]).max() < (
        1e-1 if dtype == np.float32 else 1e-8
    )  # 0.3 and its mean differ by rounding
    out = {name: np.full((3, *v.shape), np.nan, dtype=dtype) for name, v in params.items()}
    layer.per_sample_gradients(np, cache, dy, out)
    assert all(np.isfinite(values).all() for values in out.values())
    params["weight"][1] = 0.0
    y, cache = layer.forward(np, params, x)
    assert (y[..., 1] == 0).all()
    layer.per_sample_gradients(np, cache, dy, out)
    plain = Conv2d(2, 3, 3, padding=1, bias=False)
    raw = {"weight": np.empty_like(out["weight"])}
    plain.per_sample_gradients(np, plain.forward(np, params, x)[1], dy, raw)
    centred = raw["weight"][:, 1] - raw["weight"][:, 1].mean(axis=(1, 2, 3), keepdims=True)
    factor = 1e5 if kind == "unbiased" else params["gain"][1] * 100
    tolerance = 1e-4 if dtype == np.float32 else 1e-10
    np.testing.assert_allclose(
        out["weight"][:, 1] / factor, centred, rtol=tolerance, atol=tolerance * abs(centred).max()
    )


def test_a_scaled_filter_has_the_length_of_its_gain():
    layer, params, _, _ = layer_checks.ws_problem("scaled")
    used = layer_checks.standardised(params["weight"], "scaled", params["gain"])
    np.testing.assert_allclose(np.linalg.norm(used.reshape(3, -1), axis=1), abs(params["gain"]))
    assert layer.initialise(np.random.default_rng(0))["gain"].tolist() == [1, 1, 1]


def test_three_standardisations_differ_in_length():
    """Of 27 weights: unbiased sqrt(26) = 5.098 (biased would be 5.195), scaled 1. One-hot images read V off."""
    w = np.random.default_rng(0).standard_normal((1, 3, 3, 3))
    lengths = {}
    for kind in layer_checks.WS_KINDS:
        layer = WsConv2d(3, 1, 3, standardisation=kind)
        patches = np.eye(27).reshape(27, 3, 3, 3)
        params = {"weight": w} | ({"gain": np.ones(1)} if kind == "scaled" else {})
        lengths[kind] = np.linalg.norm(layer.forward(np, params, patches)[0])
    assert lengths["unbiased"] == pytest.approx(np.sqrt(26), rel=1e-4)
    assert lengths["scaled"] == pytest.approx(1, rel=1e-9)


def test_a_constant_image_is_normalised_to_the_bias():
    layer = GroupNorm(2, 4)
    params, _, dy = checks.layer_problem(layer, (3, 3, 4))
    x = np.full((3, 3, 3, 4), 0.25)
    y, _ = layer.forward(np, params, x)
    np.testing.assert_array_equal(y, np.broadcast_to(params["bias"], y.shape))
    dx, out = checks.layer_gradients(layer, params, x, dy)
    assert np.isfinite(dx).all()
    assert (out["weight"] == 0).all()


def test_a_large_mean_does_not_spoil_the_variance():
    """Two passes, not E[x²] - E[x]²: float32 images at 1000 ± 1 are normalised to 1e-3."""
    layer = GroupNorm(1, 2)
    x = np.random.default_rng(0).standard_normal((2, 8, 8, 2)).astype(np.float32) + np.float32(1000)
    params = {"weight": np.ones(2, np.float32), "bias": np.zeros(2, np.float32)}
    y, _ = layer.forward(np, params, x)
    assert y.dtype == np.float32
    np.testing.assert_allclose(
        y, layer_checks.normalised(x.astype(float), 1, np.ones(2), np.zeros(2)), atol=2e-3
    )


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (WsConv2d(2, 4, 3, padding=1), (4, 4, 2)),
        (WsConv2d(2, 4, 3, 2, 1, standardisation="scaled"), (4, 4, 2)),
        (GroupNorm(2, 4), (3, 3, 4)),
        (AvgPool2d(2, 2), (4, 4, 2)),
        (GlobalAvgPool2d(), (4, 4, 2)),
        (Residual((("a", Conv2d(2, 2, 3, padding=1)), ("b", GroupNorm(1, 2)), ("c", Relu()))), (4, 4, 2)),
    ],
)
def test_both_ways_back_agree_and_change_no_argument(layer, shape):
    params, x, dy = checks.layer_problem(layer, shape)
    kept = {name: values.copy() for name, values in params.items()}, x.copy(), dy.copy()
    dx, out = checks.layer_gradients(layer, params, x, dy)
    _, cache = layer.forward(np, params, x)
    joint = {name: np.full((len(x), *values.shape), np.nan) for name, values in params.items()}
    np.testing.assert_allclose(layer.backward(np, params, cache, dy, joint, True), dx, rtol=1e-12, atol=1e-14)
    assert layer.backward(np, params, cache, dy, joint, False) is None
    for name in params:
        np.testing.assert_allclose(joint[name], out[name], rtol=1e-12, atol=1e-14)
        np.testing.assert_array_equal(params[name], kept[0][name])
    np.testing.assert_array_equal(x, kept[1])
    np.testing.assert_array_equal(dy, kept[2])


def test_nested_names_and_layouts():
    inner = Residual((("conv", WsConv2d(2, 2, 3, padding=1)),))
    block = Residual((("inner", inner), ("gn", GroupNorm(1, 2))), (("skip.0", Conv2d(2, 2, 1)),))
    network = Network([("layer1.0", block), ("flatten", Flatten()), ("fc", Linear(32, 3))], (4, 4, 2), 3)
    assert list(network.parameters) == [
        "layer1.0.inner.conv.weight", "layer1.0.gn.weight", "layer1.0.gn.bias",
        "layer1.0.skip.0.weight", "layer1.0.skip.0.bias", "fc.weight", "fc.bias",
    ]  # fmt: skip
    theta = network.initialise(np.random.default_rng(0), dtype=np.float64)
    arrays = network.to_framework(theta)
    assert arrays["layer1.0.inner.conv.weight"].shape == (2, 2, 3, 3)
    where, shape = network.parameters["layer1.0.inner.conv.weight"]
    own = theta[where].reshape(shape)
    np.testing.assert_array_equal(arrays["layer1.0.inner.conv.weight"], own.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(network.from_framework(arrays), theta)
    x = np.random.default_rng(1).standard_normal((3, 4, 4, 2))
    labels = np.array([0, 1, 2])
    _, out = checks.gradients(network, theta, x, labels)
    v = np.random.default_rng(2).standard_normal(network.size)
    up, down = (checks.losses(network, theta + sign * 1e-6 * v, x, labels) for sign in (1, -1))
    np.testing.assert_allclose(out @ v, (up - down) / 2e-6, rtol=1e-5, atol=1e-7)


def test_batch_norm_is_refused_with_the_reason():
    for build in (BatchNorm, lambda: BatchNorm(16), lambda: BatchNorm(16, momentum=0.1)):
        with pytest.raises(RefDPError, match=r"depends on the other samples .* use group_norm"):
            build()
    assert not issubclass(BatchNorm, Layer)


def test_every_layer_is_among_those_checked():
    """A new layer must join the finite differences of test_models_layers.py."""
    import test_models_layers

    mark = test_models_layers.test_backward_passes_equal_finite_differences.pytestmark
    rows = next(m.args[1] for m in mark if m.name == "parametrize" and len(m.args[0]) == 2)
    checked = {type(row[0]) for row in rows}
    known = [getattr(layers, name) for name in layers.__all__]
    known = {what for what in known if isinstance(what, type) and issubclass(what, Layer)} - {Layer}
    assert checked == known


@pytest.mark.parametrize(
    ("act", "text"),
    [
        (lambda: WsConv2d(1, 4, 1), r"kernel = 1, in_channels = 1: ws_conv2d standardises .* \(the unbiased std of one "
         r"is 0/0, NaN in PyTorch\); use conv2d"),
        (lambda: WsConv2d(1, 4, 1, standardisation="scaled"), "filters of two weights or more"),
        (lambda: WsConv2d(2, 4, 1, standardisation="biased"), "standardisation = 'biased': must be one of unb"),
        (lambda: WsConv2d(2, 4, 0), "kernel = 0"),
        (lambda: GroupNorm(3, 4), "groups = 3: must divide the 4 channels; choose a divisor"),
        (lambda: GroupNorm(0, 4), "groups = 0"),
        (lambda: GroupNorm(2, 4).output_shape((4,)), r"group_norm takes images \(height, width, channels\); put it"),
        (lambda: GroupNorm(2, 4).output_shape((2, 2, 6)), "group_norm takes 4 channels"),
        (lambda: GroupNorm(4, 4).output_shape((1, 1, 4)), "single values, to 0 whatever they are; use fewer groups"),
        (lambda: AvgPool2d(0, 1), "size = 0"),
        (lambda: AvgPool2d(3, 1).output_shape((2, 5, 1)), "avg_pool2d needs height and width"),
        (lambda: GlobalAvgPool2d().output_shape((5,)), "global_avg_pool2d takes images"),
        (lambda: Residual(()), "main = .*at least one layer"),
        (lambda: Residual((("a", Relu()),), (("a", Relu()),)), "'a' names two layers"),
        (lambda: Residual((("a", Relu()), ("a.b", Relu()))), "begins with 'a' and a dot"),
        (lambda: Residual((("a", Flatten()),)), "'a': residual cannot flatten"),
        (lambda: Residual((("a", Conv2d(2, 3, 1)),)).output_shape((4, 4, 2)), r"shortcut: gives \(4, 4, 2\) where main "
         r"gives \(4, 4, 3\).*use a 1x1 convolution"),
        (lambda: Residual((("a", Conv2d(2, 3, 1)),)).output_shape((4, 4, 5)), "conv2d takes 2 channels"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(act, text):
    with pytest.raises(RefDPError, match=text) as caught:
        act()
    assert "\n" not in str(caught.value)
