"""Whole networks: per-sample gradients, and that samples never touch each other."""

import gradient_checks as checks
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refdp.errors import RefDPError
from refdp.models import Network, models
from refdp.models.layers import Conv2d, Flatten, Linear, Relu

STEP = 1e-6
TOLERANCE = {np.float32: {"rtol": 2e-4, "atol": 2e-6}, np.float64: {"rtol": 1e-11, "atol": 1e-13}}

each_model = pytest.mark.parametrize("spec", checks.SPECS)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def test_names_and_parameter_counts():
    assert models.names() == ("cifar10net", "mlp", "mnistnet", "resnet20", "wrn-16-4")
    mlp = models.create("mlp").build((10,), 5)
    mnistnet = models.create("mnistnet").build((28, 28, 1), 10)
    assert mlp.size == 1_029
    assert mnistnet.size == 26_010
    assert list(mlp.parameters) == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]
    layers = ("conv1", "conv2", "fc1", "fc2")
    assert list(mnistnet.parameters) == [f"{layer}.{key}" for layer in layers for key in ("weight", "bias")]


@each_model
def test_parameters_tile_theta(spec):
    network, _, _, _ = checks.problem(spec, 1)
    end = 0
    for where, shape in network.parameters.values():
        assert where.start == end
        assert where.stop - where.start == np.prod(shape)
        end = where.stop
    assert end == network.size


@each_model
def test_gradients_equal_finite_differences(spec):
    network, theta, x, labels = checks.problem(spec, batch=3)
    losses, out = checks.gradients(network, theta, x, labels)
    np.testing.assert_allclose(losses, checks.losses(network, theta, x, labels), rtol=1e-12)

    generator = np.random.default_rng(1)
    directions = list(generator.standard_normal((5, network.size)) / np.sqrt(network.size))  # of length 1
    # One parameter at a time too, taken from every weight and every bias.
    for where, _ in network.parameters.values():
        for index in generator.integers(where.start, where.stop, size=4):
            directions.append(np.eye(1, network.size, index)[0])
    for v in directions:
        up, down = (checks.losses(network, theta + sign * STEP * v, x, labels) for sign in (1, -1))
        np.testing.assert_allclose(out @ v, (up - down) / (2 * STEP), rtol=1e-5, atol=2e-8)


@each_model
@each_dtype
def test_batch_equals_loop_over_single_samples(spec, dtype):
    network, theta, x, labels = checks.problem(spec, batch=5, dtype=dtype)
    losses, out = checks.gradients(network, theta, x, labels)
    assert losses.dtype == out.dtype == dtype
    for b in range(5):
        one = slice(b, b + 1)
        loss, row = checks.gradients(network, theta, x[one], labels[one])
        np.testing.assert_allclose(losses[one], loss, **TOLERANCE[dtype])
        np.testing.assert_allclose(out[one], row, **TOLERANCE[dtype])


@each_model
def test_float32_is_close_to_float64(spec):
    network, theta, x, labels = checks.problem(spec, batch=8, dtype=np.float32)
    _, single = checks.gradients(network, theta, x, labels)
    _, double = checks.gradients(network, theta.astype(float), x.astype(float), labels)
    norms = np.linalg.norm(double, axis=1)
    assert (np.linalg.norm(single - double, axis=1) / norms).max() < 1e-5


@each_model
def test_permuting_samples_permutes_rows(spec):
    network, theta, x, labels = checks.problem(spec, batch=7)
    order = np.random.default_rng(2).permutation(7)
    losses, out = checks.gradients(network, theta, x, labels)
    permuted_losses, permuted = checks.gradients(network, theta, x[order], labels[order])
    np.testing.assert_allclose(permuted_losses, losses[order], **TOLERANCE[np.float64])
    np.testing.assert_allclose(permuted, out[order], **TOLERANCE[np.float64])


@each_model
@each_dtype
@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf, 1e30])
def test_a_bad_record_leaves_the_others_alone(spec, dtype, poison):
    network, theta, x, labels = checks.problem(spec, batch=6, dtype=dtype)
    losses, out = checks.gradients(network, theta, x, labels)
    bad = x.copy()
    bad[2] = poison
    with np.errstate(all="ignore"):
        bad_losses, bad_out = checks.gradients(network, theta, bad, labels)
    others = [0, 1, 3, 4, 5]
    np.testing.assert_array_equal(bad_losses[others], losses[others])
    np.testing.assert_array_equal(bad_out[others], out[others])
    if np.isnan(poison):
        assert not np.isfinite(bad_out[2]).all()  # it must not look like an honest gradient


@each_model
def test_empty_batch(spec):
    network, theta, x, labels = checks.problem(spec, batch=0)
    losses, out = checks.gradients(network, theta, x, labels)
    assert losses.shape == (0,)
    assert out.shape == (0, network.size)
    assert network.logits(np, theta, x).shape == (0, network.num_classes)


@each_model
def test_out_may_be_rows_of_a_larger_matrix(spec):
    network, theta, x, labels = checks.problem(spec, batch=3)
    _, wanted = checks.gradients(network, theta, x, labels)
    large = np.full((8, network.size), 7.0)
    network.per_sample_gradients(np, theta, x, labels, large[2:5])
    np.testing.assert_allclose(large[2:5], wanted, **TOLERANCE[np.float64])
    assert (large[[0, 1, 5, 6, 7]] == 7.0).all()
    columns = np.full((network.size, 3), np.nan).T  # and even a transposed one
    network.per_sample_gradients(np, theta, x, labels, columns)
    np.testing.assert_allclose(columns, wanted, **TOLERANCE[np.float64])


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(
    batch=st.integers(1, 4),
    hidden=st.integers(1, 6),
    num_classes=st.integers(2, 5),
    input_shape=st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple),
    activation=st.sampled_from(["relu", "tanh"]),
)
def test_mlp_of_any_shape(batch, hidden, num_classes, input_shape, activation):
    network = models.create("mlp", hidden=hidden, activation=activation).build(input_shape, num_classes)
    generator = np.random.default_rng(0)
    theta = network.initialise(generator, dtype=np.float64)
    x = generator.standard_normal((batch, *input_shape))
    labels = generator.integers(num_classes, size=batch)
    _, out = checks.gradients(network, theta, x, labels)
    v = generator.standard_normal(network.size)
    up, down = (checks.losses(network, theta + sign * STEP * v, x, labels) for sign in (1, -1))
    np.testing.assert_allclose(out @ v, (up - down) / (2 * STEP), rtol=1e-5, atol=1e-7)


def test_the_gradient_with_respect_to_x_is_not_computed(monkeypatch):
    network, theta, x, labels = checks.problem("mnistnet", batch=2)
    calls = []
    original = Conv2d.input_gradient
    monkeypatch.setattr(
        Conv2d, "input_gradient", lambda self, *a: (calls.append(self), original(self, *a))[1]
    )
    checks.gradients(network, theta, x, labels)
    assert [layer.in_channels for layer in calls] == [16]  # conv2 only


def test_mnistnet_activation_sizes():
    """Sizes after each layer as published, with any number of classes."""
    network = models.create("mnistnet").build((28, 28, 1), 47)
    shape, shapes = network.input_shape, {}
    for name, layer in network.layers:
        shape = shapes[name] = layer.output_shape(shape)
    assert shapes["conv1"] == (14, 14, 16)
    assert shapes["pool1"] == (13, 13, 16)
    assert shapes["conv2"] == (5, 5, 32)
    assert shapes["pool2"] == (4, 4, 32)
    assert shapes["flatten"] == (512,)
    assert shapes["fc2"] == (47,)


def test_initialise_is_reproducible_and_casts():
    network = models.create("mnistnet").build((28, 28, 1), 10)
    one, two = (network.initialise(np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert one.dtype == np.float32
    assert network.initialise(np.random.default_rng(5), dtype=np.float64).dtype == np.float64
    for (where, _), fan_in in zip(
        network.parameters.values(), [64, 64, 256, 256, 512, 512, 32, 32], strict=True
    ):
        assert 0.7 / np.sqrt(fan_in) < np.abs(one[where]).max() <= np.float32(1 / np.sqrt(fan_in))


@pytest.mark.parametrize(
    ("act", "text"),
    [
        (lambda n, t, x, y, o: n.per_sample_gradients(np, t, x, y, o[:1]), r"out\.shape = \(1, 26010\): must be"),
        (lambda n, t, x, y, o: n.logits(np, t, x.reshape(2, 1, 28, 28)), r"x\.shape = \(2, 1, 28, 28\): must be "
         r"\(batch, 28, 28, 1\); images are channels-last"),
        (lambda n, t, x, y, o: n.logits(np, t[1:], x), r"theta\.shape = \(26009,\): this network has \(26010,\)"),
        (lambda n, t, x, y, o: n.to_framework(t[1:]), r"theta\.shape = \(26009,\)"),
    ],
)  # fmt: skip
def test_wrong_shapes_are_refused(act, text):
    network, theta, x, labels = checks.problem("mnistnet", batch=2)
    with pytest.raises(RefDPError, match=text):
        act(network, theta, x, labels, np.empty((2, network.size)))


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (
            lambda: models.create("mnistnet").build((32, 32, 3), 10),
            r"\(32, 32, 3\): mnistnet takes images of",
        ),
        (lambda: models.create("mnistnet").build((28, 28), 10), "mnistnet takes images of"),
        (lambda: models.create("mlp").build((10,), 1), "num_classes = 1: must be a whole number >= 2"),
        (lambda: models.create("mlp:hidden=0"), "hidden = 0: must be a whole number >= 1"),
        (lambda: models.create("mlp:activation=gelu"), "activation = 'gelu': must be one of relu, tanh"),
        (lambda: models.create("mnistnet:activation=x"), "must be one of relu, tanh"),
        (lambda: models.create("resnet"), "unknown model 'resnet': choose one of cifar10net, mlp, mnistnet"),
        (
            lambda: Network([("a", Linear(2, 3))], (2,), 4),
            r"num_classes = 4: the layers give \(3,\) per sample",
        ),
        (lambda: Network([("a", Linear(2, 2)), ("a", Linear(2, 2))], (2,), 2), "'a' names two layers"),
        (lambda: Network([("a", Relu()), ("b", Flatten())], (2,), 2), "none has parameters"),
    ],
)
def test_networks_that_make_no_sense_are_refused(build, text):
    with pytest.raises(RefDPError, match=text):
        build()
