"""Shared by the model tests: random problems, finite differences, and naive layers written as loops."""

import numpy as np

from refdp.models import models

STEP = 1e-6
DATA = {
    "mlp": ((10,), 5),
    "mlp:activation=tanh": ((10,), 5),
    "mnistnet": ((28, 28, 1), 10),
    "mnistnet:activation=tanh": ((28, 28, 1), 10),
    "cifar10net": ((8, 8, 3), 10),
    "resnet20:groups=1/2/2/4": ((6, 5, 3), 10),
    "resnet20:groups=2,standardisation=scaled,activation=tanh": ((5, 6, 1), 4),
    "wrn-16-4:groups=4/2/2/4": ((5, 6, 3), 10),
    "wrn-16-4:groups=2,standardisation=scaled,activation=tanh": ((6, 6, 2), 4),
}
SMALL = {"widths": (4, 6, 8, 12), "blocks": 2}  # residual networks small enough for finite differences
SPECS = tuple(DATA)


def build(spec, input_shape, num_classes):
    """The network of that name; of the residual ones a small version."""
    model = models.create(spec)
    if hasattr(model, "of_size"):
        return model.of_size(input_shape, num_classes, **SMALL)
    return model.build(input_shape, num_classes)


def problem(spec, batch, dtype=np.float64, seed=0):
    """A network with parameters, inputs and labels."""
    input_shape, num_classes = DATA[spec]
    network = build(spec, input_shape, num_classes)
    generator = np.random.default_rng(seed)
    theta = network.initialise(generator, dtype=dtype)
    x = generator.standard_normal((batch, *input_shape)).astype(dtype)
    labels = generator.integers(num_classes, size=batch)
    return network, theta, x, labels


def gradients(network, theta, x, labels):
    """(losses, per-sample gradients); the matrix starts as NaN, so an entry left unwritten shows."""
    out = np.full((len(x), network.size), np.nan, dtype=theta.dtype)
    values = network.per_sample_gradients(np, theta, x, labels, out)
    return values, out


def losses(network, theta, x, labels):
    """Cross-entropy written independently of refdp.models.loss."""
    logits = network.logits(np, theta, x)
    return np.logaddexp.reduce(logits, axis=1) - logits[np.arange(len(labels)), labels]


def layer_problem(layer, input_shape, batch=3, seed=0):
    """(params, x, dy), float64, standard normal."""
    generator = np.random.default_rng(seed)
    params = {k: generator.standard_normal(shape) for k, shape in layer.parameter_shapes().items()}
    x = generator.standard_normal((batch, *input_shape))
    dy = generator.standard_normal((batch, *layer.output_shape(input_shape)))
    return params, x, dy


def layer_gradients(layer, params, x, dy):
    """(dx, per-sample gradients by name), the latter written into views of one NaN-filled matrix.

    The joint pass, which networks use, must give the same as the two single ones.
    """
    _, cache = layer.forward(np, params, x)
    size = sum(p.size for p in params.values())
    matrix, out, start = np.full((len(x), size + 7), np.nan), {}, 3
    for name, values in params.items():
        out[name] = matrix[:, start : start + values.size].reshape(len(x), *values.shape)
        start += values.size
    layer.per_sample_gradients(np, cache, dy, out)
    assert np.isnan(matrix[:, :3]).all()  # nothing outside the views is written
    assert np.isnan(matrix[:, start:]).all()
    dx = layer.input_gradient(np, params, cache, dy)
    joint = {name: np.full_like(values, np.nan) for name, values in out.items()}
    np.testing.assert_allclose(layer.backward(np, params, cache, dy, joint, True), dx, rtol=1e-9, atol=1e-12)
    for name, values in out.items():
        atol = 1e-12 * (1 + abs(values).max(initial=0))
        np.testing.assert_allclose(joint[name], values, rtol=1e-9, atol=atol, err_msg=name)
    return dx, out


def per_sample_sum(values):
    return values.sum(axis=tuple(range(1, values.ndim)))


def check_layer(layer, input_shape, batch=3, seed=0, directions=4):
    """Both backward passes against central differences of f_b = <dy_b, y_b>, along random directions."""
    params, x, dy = layer_problem(layer, input_shape, batch, seed)
    dx, out = layer_gradients(layer, params, x, dy)
    assert dx.shape == x.shape

    def f(params, x):
        y, _ = layer.forward(np, params, x)
        assert y.shape == dy.shape
        return per_sample_sum(y * dy)

    generator = np.random.default_rng(seed + 1)
    for _ in range(directions):
        v = generator.standard_normal(x.shape)
        numeric = (f(params, x + STEP * v) - f(params, x - STEP * v)) / (2 * STEP)
        np.testing.assert_allclose(per_sample_sum(dx * v), numeric, rtol=1e-6, atol=1e-6)
        for name, values in params.items():
            v = generator.standard_normal(values.shape)
            up, down = ({**params, name: values + sign * STEP * v} for sign in (1, -1))
            numeric = (f(up, x) - f(down, x)) / (2 * STEP)
            analytic = per_sample_sum(out[name] * v)
            np.testing.assert_allclose(analytic, numeric, rtol=1e-6, atol=1e-6, err_msg=name)


def naive_conv2d(layer, params, x):
    """The definition, one output value at a time."""
    pad, k, s = layer.padding, layer.kernel, layer.stride
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    height, width = ((n - k) // s + 1 for n in x.shape[1:3])
    y = np.empty((len(x), height, width, layer.out_channels))
    for b, i, j, o in np.ndindex(y.shape):
        patch = x[b, i * s : i * s + k, j * s : j * s + k, :]
        y[b, i, j, o] = (patch * params["weight"][o]).sum() + params["bias"][o]
    return y


def naive_max_pool2d(layer, x, dy=None):
    """Maximum of each window; with dy also the gradient, sent to the first maximum in reading order."""
    k, s = layer.size, layer.stride
    height, width = ((n - k) // s + 1 for n in x.shape[1:3])
    y, dx = np.empty((len(x), height, width, x.shape[3])), np.zeros_like(x)
    for b, i, j, c in np.ndindex(y.shape):
        window = x[b, i * s : i * s + k, j * s : j * s + k, c]
        r, q = np.unravel_index(window.argmax(), window.shape)
        y[b, i, j, c] = window[r, q]
        if dy is not None:
            dx[b, i * s + r, j * s + q, c] += dy[b, i, j, c]
    return y, dx
