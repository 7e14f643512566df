"""Parameters in PyTorch's layouts: the round trip, and that they mean what PyTorch would make of them."""

import gradient_checks as checks
import numpy as np
import pytest

from refdp.errors import RefDPError
from refdp.models import Network, models
from refdp.models.layers import Flatten, Linear, Residual


def channels_first_logits(arrays, x):
    """mnistnet as PyTorch computes it, in loops: NCHW images, flattened channel by channel."""

    def conv(x, weight, bias, stride, pad):
        x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
        k = weight.shape[2]
        rows, columns = ((n - k) // stride + 1 for n in x.shape[2:])
        y = np.empty((len(x), len(weight), rows, columns))
        for i, j in np.ndindex(rows, columns):
            patch = x[:, :, i * stride : i * stride + k, j * stride : j * stride + k]
            y[:, :, i, j] = np.tensordot(patch, weight, axes=([1, 2, 3], [1, 2, 3])) + bias
        return y

    def pool(x):
        return np.maximum.reduce(
            [x[:, :, i : i - 1 or None, j : j - 1 or None] for i in (0, 1) for j in (0, 1)]
        )

    h = pool(np.maximum(conv(x, arrays["conv1.weight"], arrays["conv1.bias"], 2, 3), 0))
    h = pool(np.maximum(conv(h, arrays["conv2.weight"], arrays["conv2.bias"], 2, 0), 0))
    h = np.maximum(h.reshape(len(x), -1) @ arrays["fc1.weight"].T + arrays["fc1.bias"], 0)
    return h @ arrays["fc2.weight"].T + arrays["fc2.bias"]


def test_mnistnet_means_the_same_channels_first():
    network, theta, x, _ = checks.problem("mnistnet", batch=3)
    arrays = network.to_framework(theta)
    wanted = channels_first_logits(arrays, x.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(network.logits(np, theta, x), wanted, rtol=1e-11, atol=1e-13)


def test_mlp_on_colour_images_means_the_same_channels_first():
    network = models.create("mlp").build((4, 5, 3), 6)
    generator = np.random.default_rng(0)
    theta = network.initialise(generator, dtype=np.float64)
    x = generator.standard_normal((2, 4, 5, 3))
    arrays = network.to_framework(theta)
    h = np.maximum(x.transpose(0, 3, 1, 2).reshape(2, -1) @ arrays["fc1.weight"].T + arrays["fc1.bias"], 0)
    wanted = h @ arrays["fc2.weight"].T + arrays["fc2.bias"]
    np.testing.assert_allclose(network.logits(np, theta, x), wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("spec", checks.SPECS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_round_trip(spec, dtype):
    network, theta, _, _ = checks.problem(spec, 1, dtype=dtype)
    arrays = network.to_framework(theta)
    assert list(arrays) == list(network.parameters)
    assert all(
        values.flags.c_contiguous and not np.shares_memory(values, theta) for values in arrays.values()
    )
    back = network.from_framework(arrays)
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, theta)


def test_shapes_are_pytorchs():
    network, theta, _, _ = checks.problem("mnistnet", 1)
    shapes = {name: values.shape for name, values in network.to_framework(theta).items()}
    assert shapes == {
        "conv1.weight": (16, 1, 8, 8), "conv1.bias": (16,),
        "conv2.weight": (32, 16, 4, 4), "conv2.bias": (32,),
        "fc1.weight": (32, 512), "fc1.bias": (32,),
        "fc2.weight": (10, 32), "fc2.bias": (10,),
    }  # fmt: skip


def test_missing_extra_and_misshapen_parameters_are_refused():
    network, theta, _, _ = checks.problem("mnistnet", 1)
    arrays = network.to_framework(theta)
    without = {name: values for name, values in arrays.items() if name != "fc1.bias"}
    with pytest.raises(
        RefDPError, match=r"missing \['fc1.bias'\], not in the network \[\]; give exactly conv1"
    ):
        network.from_framework(without)
    with pytest.raises(RefDPError, match=r"missing \[\], not in the network \['bn.weight'\]"):
        network.from_framework({**arrays, "bn.weight": np.ones(3)})
    internal = arrays["conv2.weight"].transpose(0, 2, 3, 1)
    with pytest.raises(RefDPError, match=r"\['conv2.weight'\]: got float64 of shape \(32, 4, 4, 16\), must be .*"
                       r"\(32, 16, 4, 4\)"):  # fmt: skip
        network.from_framework({**arrays, "conv2.weight": internal})
    with pytest.raises(RefDPError, match=r"\['fc1.weight'\]: got float64 of shape \(512, 32\)"):
        network.from_framework({**arrays, "fc1.weight": arrays["fc1.weight"].T})
    with pytest.raises(RefDPError, match=r"\['fc2.bias'\]: got int64"):
        network.from_framework({**arrays, "fc2.bias": np.zeros(10, dtype=np.int64)})


def block_after_flatten(shape):
    fc, end = Linear(12, 20), Linear(20, 3)
    return Network(
        [("flat", Flatten()), ("block", Residual((("a", fc),), (("b", fc),))), ("end", end)], shape, 3
    )


def test_a_block_that_adds_to_a_flattened_image_is_refused():
    """Its sum would be in an order of its own; where the two orders are one, it is as any other."""
    network = block_after_flatten((2, 3, 2))
    theta = network.initialise(np.random.default_rng(0), np.float64)
    with pytest.raises(RefDPError, match=r"'block': adds to a flattened image.*a linear layer before"):
        network.to_framework(theta)
    network = block_after_flatten((4, 3, 1))
    x = np.random.default_rng(1).standard_normal((2, 4, 3, 1))
    arrays = network.to_framework(theta)
    assert arrays["end.weight"].shape == (3, 20)
    h = x.reshape(2, 12) @ (arrays["block.a.weight"] + arrays["block.b.weight"]).T
    h = h + arrays["block.a.bias"] + arrays["block.b.bias"]
    wanted = h @ arrays["end.weight"].T + arrays["end.bias"]
    np.testing.assert_allclose(network.logits(np, theta, x), wanted, rtol=1e-12)
    np.testing.assert_array_equal(network.from_framework(arrays), theta)
