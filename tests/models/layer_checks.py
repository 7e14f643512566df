"""Named checks of the layers and of what they are made of; they know the papers' formulas, not our code.

The seeded faults of test_models_faults.py must make the named one fail.
"""

import gradient_checks as checks
import numpy as np

from refdp.models import models
from refdp.models.layers import AvgPool2d, Conv2d, GroupNorm, Residual, Tanh, WsConv2d

WS_KINDS = ("unbiased", "scaled")


def standardised(weight, kind, gain=None):
    """Filters [O, kh, kw, I] as the papers standardise them, one filter at a time."""
    used = np.empty_like(weight)
    for o, w in enumerate(weight):
        if kind == "unbiased":
            used[o] = (w - w.mean()) / (np.std(w, ddof=1) + 1e-5)
        else:
            used[o] = gain[o] * (w - w.mean()) / np.sqrt(max(w.size * w.var(), 1e-4))
    return used


def normalised(x, groups, weight, bias):
    """GroupNorm, one sample and one group at a time."""
    y = np.empty_like(x)
    each = x.shape[-1] // groups
    for b in range(len(x)):
        for g in range(groups):
            channels = slice(g * each, (g + 1) * each)
            values = x[b, :, :, channels]
            y[b, :, :, channels] = (values - values.mean()) / np.sqrt(values.var() + 1e-5)
    return y * weight + bias


def ws_problem(kind="unbiased", scale=1.0, **options):
    """A standardised convolution, with filters of that size."""
    layer = WsConv2d(2, 3, 3, padding=1, standardisation=kind, **options)
    params, x, dy = checks.layer_problem(layer, (4, 5, 2))
    params["weight"] *= scale
    return layer, params, x, dy


def check_ws_values():
    """Large filters, and filters so small that eps counts."""
    for kind in WS_KINDS:
        for scale in (1.0, 1e-3, 1e-5):
            layer, params, x, _ = ws_problem(kind, scale)
            y, _ = layer.forward(np, params, x)
            used = standardised(params["weight"], kind, params.get("gain"))
            plain = Conv2d(2, 3, 3, padding=1)
            wanted = checks.naive_conv2d(plain, {"weight": used, "bias": np.zeros(3)}, x)
            np.testing.assert_allclose(y, wanted, rtol=1e-9, atol=1e-11)


def check_ws_gradient():
    """dW_b against central differences of the standardised filters, for filters of several sizes."""
    for kind in WS_KINDS:
        for scale in (1.0, 1e-2, 1e-3, 1e-5):
            layer, params, x, dy = ws_problem(kind, scale)
            _, out = checks.layer_gradients(layer, params, x, dy)
            plain = Conv2d(2, 3, 3, padding=1, bias=False)
            _, raw = checks.layer_gradients(
                plain, {"weight": params["weight"]}, x, dy
            )  # dV_b: linear in x, dy
            generator, step = np.random.default_rng(5), 1e-6 * scale
            for _ in range(3):
                v = generator.standard_normal(params["weight"].shape)
                up, down = (
                    standardised(params["weight"] + sign * step * v, kind, params.get("gain"))
                    for sign in (1, -1)
                )
                wanted = checks.per_sample_sum(raw["weight"] * (up - down)) / (2 * step)
                got = checks.per_sample_sum(out["weight"] * v)
                size = np.linalg.norm(out["weight"]) * np.linalg.norm(v)
                np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-8 * size)


def check_ws_orthogonal():
    """dW_b is orthogonal to the constant filter, always, and to W itself where nothing but its direction counts."""
    for kind in WS_KINDS:
        layer, params, x, dy = ws_problem(kind)
        _, out = checks.layer_gradients(layer, params, x, dy)
        sums, size = out["weight"].sum(axis=(2, 3, 4)), abs(out["weight"]).max()
        np.testing.assert_allclose(sums, 0, atol=1e-12 * size)
        along = (out["weight"] * params["weight"]).sum(axis=(2, 3, 4))
        np.testing.assert_allclose(along, 0, atol=(1e-4 if kind == "unbiased" else 1e-12) * size)


def check_group_norm_values():
    """Statistics of each sample; images of several sizes, so that eps counts."""
    for scale in (1.0, 1e-2, 1e-4):
        layer = GroupNorm(2, 6)
        params, x, _ = checks.layer_problem(layer, (3, 4, 6))
        x = x * scale * np.array([1, 5, 20])[:, None, None, None] + 0.1 * scale
        y, _ = layer.forward(np, params, x)
        wanted = normalised(x, 2, params["weight"], params["bias"])
        np.testing.assert_allclose(y, wanted, rtol=1e-9, atol=1e-10)


def check_group_norm_gradient():
    checks.check_layer(GroupNorm(2, 6), (3, 4, 6))


def check_conv_gradient():
    """Stride 1, where gradients come from patches of dY; few positions and many filters; stride 2."""
    for layer, shape in (
        (Conv2d(2, 3, 3, padding=1), (4, 5, 2)),
        (Conv2d(2, 3, 4, padding=2), (5, 4, 2)),
        (Conv2d(2, 9, 3, padding=1), (2, 3, 2)),
        (Conv2d(2, 3, 3, stride=2, padding=1), (5, 6, 2)),
    ):
        checks.check_layer(layer, shape)


def check_residual_gradient():
    """Both chains: a convolution beside the identity, and beside a convolution."""
    conv = ("conv", Conv2d(2, 2, 3, padding=1)), ("act", Tanh())
    checks.check_layer(Residual(conv), (4, 3, 2))
    checks.check_layer(Residual(conv, (("skip", Conv2d(2, 2, 1)),)), (4, 3, 2))


def check_residual_in_a_network():
    """The joint backward pass of a whole network gives what the single passes give, by finite differences."""
    for spec in ("resnet20:groups=1/2/2/4", "wrn-16-4:groups=4/2/2/4"):
        network, theta, x, labels = checks.problem(f"{spec}", batch=2)
        _, out = checks.gradients(network, theta, x, labels)
        generator = np.random.default_rng(3)
        for _ in range(3):
            v = generator.standard_normal(network.size) / np.sqrt(network.size)
            up, down = (checks.losses(network, theta + sign * 1e-6 * v, x, labels) for sign in (1, -1))
            np.testing.assert_allclose(out @ v, (up - down) / 2e-6, rtol=1e-5, atol=1e-7)


def check_rows_alone():
    """What another sample holds changes no bit of a sample's losses and gradients, in every model."""
    for spec in checks.SPECS:
        network, theta, x, labels = checks.problem(spec, batch=4)
        losses, out = checks.gradients(network, theta, x, labels)
        other = x.copy()
        other[2] = 3 * np.random.default_rng(7).standard_normal(x.shape[1:]) + 5
        other_losses, other_out = checks.gradients(network, theta, other, labels)
        kept = [0, 1, 3]
        np.testing.assert_array_equal(other_out[kept], out[kept])
        np.testing.assert_array_equal(other_losses[kept], losses[kept])
        assert not np.array_equal(other_out[2], out[2])


def check_avg_pool_values():
    for size, stride in ((2, 2), (3, 1), (2, 3)):
        _, x, _ = checks.layer_problem(AvgPool2d(size, stride), (6, 7, 2))
        y, _ = AvgPool2d(size, stride).forward(np, {}, x)
        for b, i, j, c in np.ndindex(y.shape):
            window = x[b, i * stride : i * stride + size, j * stride : j * stride + size, c]
            assert abs(y[b, i, j, c] - window.mean()) < 1e-13


def check_parameter_counts():
    """Counted by hand from the architecture: tests/models/test_models_cifar.py writes the sums out."""
    for name, count in (("cifar10net", 132_042), ("resnet20", 272_474), ("wrn-16-4", 2_748_890)):
        assert models.create(name).build((32, 32, 3), 10).size == count


ALL = (
    check_conv_gradient,
    check_ws_values,
    check_ws_gradient,
    check_ws_orthogonal,
    check_group_norm_values,
    check_group_norm_gradient,
    check_residual_gradient,
    check_residual_in_a_network,
    check_rows_alone,
    check_avg_pool_values,
    check_parameter_counts,
)
