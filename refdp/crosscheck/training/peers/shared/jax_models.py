"""refdp's five models in JAX for one sample, images [H, W, C]; weights by torch's names, convolutions as HWIO.

Needs jax and nothing of refdp.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array, lax, nn

Weights = dict[str, Array]


def conv(weights: Weights, name: str, x: Array, stride: int = 1, pad: int = 0) -> Array:
    """Convolution, with its bias where there is one."""
    y = _convolve(x, weights[f"{name}.weight"], stride, pad)
    return y + weights[f"{name}.bias"] if f"{name}.bias" in weights else y


def ws_conv(weights: Weights, name: str, x: Array, stride: int = 1, pad: int = 0) -> Array:
    """Weight-standardised convolution: unbiased std + 1e-5 a filter."""
    w = weights[f"{name}.weight"]
    centred = w - w.mean((0, 1, 2))
    return _convolve(x, centred / (w.std((0, 1, 2), ddof=1) + 1e-5), stride, pad)


def _convolve(x: Array, w: Array, stride: int, pad: int) -> Array:
    around = ((pad, pad), (pad, pad))
    return lax.conv_general_dilated(
        x[None], w, (stride, stride), around, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )[0]


def group_norm(weights: Weights, name: str, x: Array, groups: int) -> Array:
    parts = x.reshape(*x.shape[:2], groups, -1)
    mean, var = parts.mean((0, 1, 3), keepdims=True), parts.var((0, 1, 3), keepdims=True)
    normed = ((parts - mean) * lax.rsqrt(var + 1e-5)).reshape(x.shape)
    return normed * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def linear(weights: Weights, name: str, x: Array) -> Array:
    return weights[f"{name}.weight"] @ x + weights[f"{name}.bias"]


def max_pool(x: Array) -> Array:
    """2x2, stride 1; on a CPU faster than lax.reduce_window, whose gradient is slow."""
    rows = jnp.maximum(x[1:], x[:-1])
    return jnp.maximum(rows[:, 1:], rows[:, :-1])


def avg_pool(x: Array) -> Array:
    """2x2, stride 2."""
    return x.reshape(x.shape[0] // 2, 2, x.shape[1] // 2, 2, -1).mean((1, 3))


def mlp(weights: Weights, x: Array) -> Array:
    return linear(weights, "fc2", nn.relu(linear(weights, "fc1", x)))


def mnistnet(weights: Weights, x: Array) -> Array:
    x = max_pool(nn.relu(conv(weights, "conv1", x, 2, 3)))
    x = max_pool(nn.relu(conv(weights, "conv2", x, 2)))
    return linear(weights, "fc2", nn.relu(linear(weights, "fc1", x.transpose(2, 0, 1).ravel())))


def cifar10net(weights: Weights, x: Array) -> Array:
    for n in range(1, 5):
        x = nn.relu(group_norm(weights, f"gn{n}", conv(weights, f"conv{n}", x, 1, 1), 8))
        x = avg_pool(x) if n < 4 else x
    return linear(weights, "fc", x.mean((0, 1)))


def resnet20(weights: Weights, x: Array) -> Array:
    x = nn.relu(group_norm(weights, "gn1", ws_conv(weights, "conv1", x, 1, 1), 4))
    for stage, groups in ((1, 4), (2, 8), (3, 16)):
        for block in range(3):
            name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            y = nn.relu(
                group_norm(weights, f"{name}.gn1", ws_conv(weights, f"{name}.conv1", x, stride, 1), groups)
            )
            y = group_norm(weights, f"{name}.gn2", ws_conv(weights, f"{name}.conv2", y, 1, 1), groups)
            if f"{name}.shortcut.0.weight" in weights:
                x = ws_conv(weights, f"{name}.shortcut.0", x, stride)
                x = group_norm(weights, f"{name}.shortcut.1", x, groups)
            x = nn.relu(x + y)
    return linear(weights, "fc", x.mean((0, 1)))


def wrn_16_4(weights: Weights, x: Array) -> Array:
    x = ws_conv(weights, "conv1", x, 1, 1)
    for stage in (1, 2, 3):
        for block in range(2):
            name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            h = nn.relu(group_norm(weights, f"{name}.gn1", x, 16))
            if f"{name}.shortcut.weight" in weights:
                x = ws_conv(weights, f"{name}.shortcut", h, stride)
            h = nn.relu(
                group_norm(weights, f"{name}.gn2", ws_conv(weights, f"{name}.conv1", h, stride, 1), 16)
            )
            x = x + ws_conv(weights, f"{name}.conv2", h, 1, 1)
    return linear(weights, "fc", nn.relu(group_norm(weights, "gn1", x, 16)).mean((0, 1)))


MODELS: dict[str, Callable[[Weights, Array], Array]] = {
    "mlp": mlp,
    "mnistnet": mnistnet,
    "cifar10net": cifar10net,
    "resnet20": resnet20,
    "wrn-16-4": wrn_16_4,
}


def loss(model: str, weights: Weights, x: Array, y: Array) -> Array:
    """Cross-entropy of one sample."""
    return -jax.nn.log_softmax(MODELS[model](weights, x))[y]
