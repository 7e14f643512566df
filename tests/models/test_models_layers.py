"""Every layer on its own: values against loops, both backward passes against finite differences."""

import itertools

import gradient_checks as checks
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from refdp.errors import RefDPError
from refdp.models.layers import (
    AvgPool2d,
    Conv2d,
    Flatten,
    GlobalAvgPool2d,
    GroupNorm,
    Linear,
    MaxPool2d,
    Relu,
    Residual,
    Tanh,
    WsConv2d,
)

FEW = settings(max_examples=30, deadline=None, derandomize=True, database=None)
SMALL = st.integers(1, 4)


@pytest.mark.parametrize("batch", [0, 1, 3])
@pytest.mark.parametrize(
    ("layer", "input_shape"),
    [
        (Linear(5, 3), (5,)),
        (Conv2d(2, 3, kernel=3, stride=2, padding=1), (5, 6, 2)),
        (MaxPool2d(size=3, stride=2), (7, 6, 2)),
        (MaxPool2d(size=2, stride=1), (4, 5, 3)),
        (Relu(), (4, 3)),
        (Tanh(), (4, 3)),
        (Flatten(), (2, 3, 4)),
        (Conv2d(2, 3, kernel=3, padding=1, bias=False), (5, 6, 2)),
        (WsConv2d(2, 3, kernel=3, stride=2, padding=1), (5, 6, 2)),
        (WsConv2d(2, 3, kernel=1, stride=2, bias=True, standardisation="scaled"), (5, 6, 2)),
        (GroupNorm(2, 6), (4, 3, 6)),
        (GroupNorm(1, 3), (2, 2, 3)),
        (GroupNorm(4, 4), (3, 2, 4)),
        (AvgPool2d(size=2, stride=2), (5, 6, 2)),
        (AvgPool2d(size=3, stride=2), (7, 6, 2)),
        (AvgPool2d(size=1, stride=3), (4, 4, 1)),
        (GlobalAvgPool2d(), (3, 4, 2)),
        (Residual((("conv", Conv2d(2, 2, 3, padding=1)), ("act", Tanh()))), (4, 3, 2)),
        (
            Residual(
                (("conv", WsConv2d(2, 4, 3, 2, 1)), ("gn", GroupNorm(2, 4))),
                (("skip.0", WsConv2d(2, 4, 1, 2)), ("skip.1", GroupNorm(1, 4))),
            ),
            (4, 5, 2),
        ),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "forward") else str(value),
)
def test_backward_passes_equal_finite_differences(layer, input_shape, batch):
    checks.check_layer(layer, input_shape, batch)


CONV_GRID = list(itertools.product([1, 2, 3, 4], [1, 2, 3], [0, 1, 3]))


@pytest.mark.parametrize(("kernel", "stride", "padding"), CONV_GRID)
def test_conv2d_grid(kernel, stride, padding):
    layer = Conv2d(2, 3, kernel, stride, padding)
    params, x, _ = checks.layer_problem(layer, (5, 7, 2), batch=2)
    y, _ = layer.forward(np, params, x)
    np.testing.assert_allclose(y, checks.naive_conv2d(layer, params, x), rtol=1e-12, atol=1e-12)
    assert y.shape[1:] == layer.output_shape((5, 7, 2))
    checks.check_layer(layer, (5, 7, 2), batch=2, directions=2)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("stride", [1, 2, 3, 5])
@pytest.mark.parametrize("ties", [False, True])
def test_max_pool2d_grid(size, stride, ties):
    """With ties (small integers) the gradient goes to the first maximum, as PyTorch's."""
    layer = MaxPool2d(size, stride)
    _, x, dy = checks.layer_problem(layer, (6, 9, 2), batch=2)
    x = np.round(x) if ties else x
    y, cache = layer.forward(np, {}, x)
    wanted_y, wanted_dx = checks.naive_max_pool2d(layer, x, dy)
    np.testing.assert_array_equal(y, wanted_y)
    np.testing.assert_allclose(layer.input_gradient(np, {}, cache, dy), wanted_dx, rtol=1e-12, atol=1e-14)


def test_max_pool2d_of_equal_values_sends_everything_to_the_first():
    layer = MaxPool2d(size=3, stride=1)
    _, cache = layer.forward(np, {}, np.zeros((1, 3, 3, 1)))
    dx = layer.input_gradient(np, {}, cache, np.full((1, 1, 1, 1), 5.0))
    assert dx[0, 0, 0, 0] == 5.0
    assert np.count_nonzero(dx) == 1


def test_max_pool2d_and_relu_keep_nan():
    x = np.zeros((1, 2, 2, 1))
    x[0, 1, 0, 0] = np.nan
    assert np.isnan(MaxPool2d(2, 1).forward(np, {}, x)[0]).all()
    assert np.isnan(Relu().forward(np, {}, x)[0]).sum() == 1


def test_relu_gradient_at_zero_is_zero():
    _, cache = Relu().forward(np, {}, np.array([[-1.0, 0.0, 2.0]]))
    np.testing.assert_array_equal(Relu().input_gradient(np, {}, cache, np.ones((1, 3))), [[0, 0, 1]])


@FEW
@given(
    batch=SMALL, height=SMALL, width=SMALL, channels=SMALL, out=SMALL, kernel=SMALL, stride=SMALL, pad=SMALL
)
def test_conv2d_any_shape(batch, height, width, channels, out, kernel, stride, pad):
    assume(min(height, width) + 2 * pad >= kernel)
    layer = Conv2d(channels, out, kernel, stride, pad)
    params, x, _ = checks.layer_problem(layer, (height, width, channels), batch)
    y, _ = layer.forward(np, params, x)
    np.testing.assert_allclose(y, checks.naive_conv2d(layer, params, x), rtol=1e-11, atol=1e-12)
    checks.check_layer(layer, (height, width, channels), batch, directions=1)


@FEW
@given(
    batch=SMALL, height=SMALL, width=SMALL, channels=SMALL, size=SMALL, stride=SMALL, seed=st.integers(0, 99)
)
def test_max_pool2d_any_shape(batch, height, width, channels, size, stride, seed):
    assume(min(height, width) >= size)
    layer = MaxPool2d(size, stride)
    _, x, dy = checks.layer_problem(layer, (height, width, channels), batch, seed)
    x = np.round(x)
    y, cache = layer.forward(np, {}, x)
    wanted_y, wanted_dx = checks.naive_max_pool2d(layer, x, dy)
    np.testing.assert_array_equal(y, wanted_y)
    np.testing.assert_allclose(layer.input_gradient(np, {}, cache, dy), wanted_dx, atol=1e-13)


@FEW
@given(batch=SMALL, inputs=SMALL, outputs=SMALL)
def test_linear_any_shape(batch, inputs, outputs):
    checks.check_layer(Linear(inputs, outputs), (inputs,), batch, directions=1)


def test_backward_does_not_change_its_arguments():
    for layer, shape in [(MaxPool2d(2, 1), (4, 4, 2)), (Conv2d(2, 3, 3, 1, 1), (4, 4, 2)), (Tanh(), (5,))]:
        params, x, dy = checks.layer_problem(layer, shape)
        kept = x.copy(), dy.copy()
        checks.layer_gradients(layer, params, x, dy)
        np.testing.assert_array_equal(x, kept[0])
        np.testing.assert_array_equal(dy, kept[1])


@pytest.mark.parametrize(
    ("layer", "fan_in"), [(Linear(400, 300), 400), (Conv2d(8, 64, kernel=5), 200)], ids=["linear", "conv2d"]
)
def test_initialisation_is_uniform_within_one_over_root_fan_in(layer, fan_in):
    params = layer.initialise(np.random.default_rng(1))
    assert {name: values.shape for name, values in params.items()} == layer.parameter_shapes()
    bound = 1 / np.sqrt(fan_in)
    for values in params.values():
        assert values.dtype == np.float64
        assert np.abs(values).max() <= bound
    # Kolmogorov-Smirnov distance to the uniform law: below its 1e-6 quantile, and far above it for a bound
    # that is 10 % off.
    weights = np.sort(params["weight"].ravel())
    ranks = np.arange(weights.size) / weights.size
    critical = 2.7 / np.sqrt(weights.size)
    distances = [
        np.abs(np.clip((weights / limit + 1) / 2, 0, 1) - ranks).max()
        for limit in (bound, 0.9 * bound, 1.1 * bound)
    ]
    assert distances[0] < critical < min(distances[1:])


def test_initialised_biases_fill_the_interval():
    biases = Linear(4, 20_000).initialise(np.random.default_rng(0))["bias"]
    assert 0.4999 < biases.max() <= 0.5
    assert -0.5 <= biases.min() < -0.4999
    assert abs(biases.std() - 0.5 / np.sqrt(3)) < 0.005


@pytest.mark.parametrize(
    ("layer", "input_shape", "text"),
    [
        (Linear(5, 3), (4,), r"input_shape = \(4,\): linear takes vectors of 5 features; flatten first"),
        (Linear(5, 3), (5, 1), r"linear takes vectors"),
        (Conv2d(3, 2, 3), (8, 8, 1), r"conv2d takes 3 channels \(the last axis\); images are channels-last"),
        (
            Conv2d(1, 2, 5),
            (4, 9, 1),
            r"height and width \+ 2 \* padding \(0\) >= its window of 5; use a smaller",
        ),
        (Conv2d(1, 2, 5), (64,), r"conv2d takes images \(height, width, channels\)"),
        (MaxPool2d(3, 1), (2, 9, 1), r"max_pool2d needs height and width"),
        (MaxPool2d(3, 1), (9,), r"max_pool2d takes images"),
    ],
)
def test_inputs_a_layer_cannot_take_are_refused(layer, input_shape, text):
    with pytest.raises(RefDPError, match=text):
        layer.output_shape(input_shape)


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: Linear(0, 1), "in_features = 0: must be a whole number >= 1"),
        (lambda: Conv2d(1, 1, kernel=2.0), r"kernel = 2\.0"),
        (lambda: Conv2d(1, 1, kernel=2, stride=0), "stride = 0"),
        (lambda: Conv2d(1, 1, kernel=2, padding=-1), "padding = -1"),
        (lambda: MaxPool2d(0, 1), "size = 0"),
    ],
)
def test_hyper_parameters_are_checked(build, text):
    with pytest.raises(RefDPError, match=text):
        build()
