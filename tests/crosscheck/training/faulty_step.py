"""A small DP-SGD in plain numpy, float32, written apart from refdp's; and faults that can be put in, one at a time.

Three models of 5 classes: ``mlp`` (10-16-5, ReLU), ``conv`` (3 x 3, 4 channels, tanh, linear) and ``ws``, the same with
weight standardisation and no bias in the convolution. Names and layouts are PyTorch's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np

from refdp.models import Network, models
from refdp.models.layers import Conv2d, Flatten, Linear, Tanh, WsConv2d
from refdp.traces import Trace, TracedStep

CLASSES, CHANNELS, FILTERS, HEIGHT, WIDTH, INPUTS, HIDDEN = 5, 3, 4, 6, 5, 10, 16
Hook = Callable[..., Any]
STAGES = ("gradients", "norms", "clipped sum", "noise", "update")


def network(model: str) -> Network:
    """The same model in refdp."""
    if model == "mlp":
        return models.create("mlp", hidden=HIDDEN).build((INPUTS,), CLASSES)
    kind = WsConv2d if model == "ws" else Conv2d
    layers = [("conv1", kind(CHANNELS, FILTERS, 3, padding=1)), ("act1", Tanh()), ("flatten", Flatten())]
    layers.append(("fc", Linear(FILTERS * HEIGHT * WIDTH, CLASSES)))
    return Network(layers, (HEIGHT, WIDTH, CHANNELS), CLASSES)


def weights(model: str, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """float32, N(0, 0.3^2)."""
    if model == "mlp":
        shapes: dict[str, tuple[int, ...]] = {"fc1.weight": (HIDDEN, INPUTS), "fc1.bias": (HIDDEN,)}
        shapes |= {"fc2.weight": (CLASSES, HIDDEN), "fc2.bias": (CLASSES,)}
    else:
        shapes = {"conv1.weight": (FILTERS, CHANNELS, 3, 3), "conv1.bias": (FILTERS,)}
        shapes |= {"fc.weight": (CLASSES, FILTERS * HEIGHT * WIDTH), "fc.bias": (CLASSES,)}
        if model == "ws":
            del shapes["conv1.bias"]
    return {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}


def batch(model: str, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """x float32, channels first, of lengths that differ by the sample; y."""
    shape = (INPUTS,) if model == "mlp" else (CHANNELS, HEIGHT, WIDTH)
    lengths = rng.uniform(0.1, 2.0, size).reshape(size, *(1,) * len(shape))
    return (rng.normal(size=(size, *shape)) * lengths).astype(np.float32), rng.integers(0, CLASSES, size)


def gradients(
    model: str, p: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray, *, bits: int = 0, biased: bool = False,
    epsilon: tuple[float, float] = (0.0, 1e-5),
    channels_last: bool = False,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Of each sample's cross-entropy; ``bits`` of significand in every product, where it is not 0.

    ``biased``, ``epsilon``: standardise by the biased variance, with these inside and outside the root;
    ``channels_last``: read patches as Opacus 1.6.0 does of such input.
    """

    def product(spec: str, *operands: np.ndarray) -> np.ndarray:
        return np.einsum(spec, *(rounded(v, bits) if bits else v for v in operands), optimize=True)

    def head(features: np.ndarray, name: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
        logits = product("bi,oi->bo", features, p[f"{name}.weight"]) + p[f"{name}.bias"]
        shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
        dy = shifted / shifted.sum(axis=1, keepdims=True)
        dy[np.arange(len(y)), y] -= 1
        rows = {f"{name}.weight": product("bo,bi->boi", dy, features), f"{name}.bias": dy}
        return rows, product("bo,oi->bi", dy, p[f"{name}.weight"])

    if model == "mlp":
        z = product("bi,oi->bo", x, p["fc1.weight"]) + p["fc1.bias"]
        rows, back = head(np.maximum(z, 0), "fc2")
        dz = back * (z > 0)
        return {"fc1.weight": product("bo,bi->boi", dz, x), "fc1.bias": dz, **rows}
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    patches = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))  # b c i j r s
    used, u, std, number = p["conv1.weight"], None, None, CHANNELS * 9
    if model == "ws":
        flat = p["conv1.weight"].reshape(FILTERS, -1)
        u = flat - flat.mean(axis=1, keepdims=True)
        number -= 0 if biased else 1
        std = np.sqrt((u * u).sum(axis=1, keepdims=True) / number + epsilon[0])
        used = (u / (std + epsilon[1])).reshape(p["conv1.weight"].shape)
    z = product("bcijrs,ocrs->boij", patches, used)
    z = z + p["conv1.bias"][:, None, None] if "conv1.bias" in p else z
    activation = np.tanh(z)
    rows, back = head(activation.reshape(len(x), -1), "fc")
    dz = back.reshape(z.shape) * (1 - activation**2)
    if channels_last:
        patches = misread(padded)
    raw = product("boij,bcijrs->bocrs", dz, patches)
    if u is not None:
        dv, den = raw.reshape(len(x), FILTERS, -1), std + epsilon[1]
        along = (dv * u).sum(axis=2, keepdims=True)
        raw = (dv - dv.mean(axis=2, keepdims=True)) / den - u * along / (den**2 * std * number)
    own = {"conv1.weight": raw.reshape(len(x), *p["conv1.weight"].shape)}
    return own | ({"conv1.bias": dz.sum(axis=(2, 3))} if "conv1.bias" in p else {}) | rows


def misread(padded: np.ndarray) -> np.ndarray:
    """Patches by strides of contiguous memory, in memory of channels last."""
    memory = np.ascontiguousarray(padded.transpose(0, 2, 3, 1))
    item, width = memory.itemsize, padded.shape[3]
    shape = (len(padded), CHANNELS, HEIGHT, WIDTH, 3, 3)
    strides = (memory.strides[0], item, width * item, item, width * item, item)
    return np.lib.stride_tricks.as_strided(memory, shape, strides)


def rounded(values: np.ndarray, bits: int) -> np.ndarray:
    """To so many bits of significand, to nearest."""
    significand, exponent = np.frexp(values)
    return np.ldexp(np.rint(np.ldexp(significand, bits)), exponent - bits).astype(values.dtype)


def weighted(s: Any, scales: np.ndarray, rows: dict[str, np.ndarray] | None = None) -> dict[str, np.ndarray]:
    """Σ_b scales[b] rows[b]."""
    return {n: np.tensordot(scales.astype(v.dtype), v, axes=1) for n, v in (rows or s.g).items()}


def clip(norms: np.ndarray, c: float, epsilon: float = 0.0) -> np.ndarray:
    """min(1, c / (n + epsilon))."""
    return np.minimum(1.0, c / np.maximum(norms + epsilon, 1e-30))


def length(rows: dict[str, np.ndarray], keep: Callable[[str], bool] = lambda name: True) -> np.ndarray:
    """Norms over the parameters kept [B], float64."""
    parts = [np.square(v.reshape(len(v), -1).astype(float)).sum(axis=1) for n, v in rows.items() if keep(n)]
    return np.sqrt(np.sum(parts, axis=0))


def run(
    model: str = "mlp", seed: int = 0, hooks: Mapping[str, Hook] = MappingProxyType({}), *, steps: int = 3,
    size: int = 12, clip_norm: float = 3.3, noise_multiplier: float = 1.3, rate: float = 0.25,
    momentum: float = 0.9, expected: float = 14.0,
) -> Trace:  # fmt: skip
    """A run of some steps; ``hooks`` change stages' results, by name, in the last of them.

    A hook is called with the step so far (x, y, p, g, norms, total, noise, noised, move, history and the settings)
    and the result.
    """
    rng = np.random.default_rng(seed)
    p = weights(model, rng)
    velocity = {n: np.zeros_like(v) for n, v in p.items()}
    taken: list[TracedStep] = []
    history: list[Any] = []
    for number in range(steps):
        x, y = batch(model, size, rng)
        index = np.sort(rng.choice(10 * size + 10, size, replace=False))
        s = SimpleNamespace(
            model=model, x=x, y=y, p=p, c=clip_norm, nm=noise_multiplier, size=size, index=index
        )
        s.rate, s.momentum, s.divisor, s.velocity, s.history, s.rng = (
            rate,
            momentum,
            expected,
            velocity,
            history,
            rng,
        )
        wrong = hooks if number == steps - 1 else {}

        def result(name: str, value: Any, wrong: Any = wrong, s: Any = s) -> Any:
            return wrong[name](s, value) if name in wrong else value

        s.g = gradients(model, p, x, y)
        s.g = result("gradients", s.g)
        s.norms = result("norms", length(s.g))
        usable = np.isfinite(length(s.g))
        kept = {n: np.where(usable.reshape(-1, *(1,) * (v.ndim - 1)), v, 0.0) for n, v in s.g.items()}
        s.total = result("clipped sum", weighted(s, np.where(usable, clip(length(kept), s.c), 0.0), kept))
        noise = {n: rng.normal(0, s.nm * s.c, v.shape) for n, v in s.total.items()}
        s.noise = result("noise", noise)
        s.noised = {n: (v + s.noise[n]).astype(np.float32) for n, v in s.total.items()}
        s.mean = {n: v / np.float32(s.divisor) for n, v in s.noised.items()}
        velocity = {n: s.momentum * velocity[n] + v for n, v in s.mean.items()}
        s.move = result("update", {n: -s.rate * v for n, v in velocity.items()})
        after = {n: (v + s.move[n]).astype(np.float32) for n, v in p.items()}
        step = TracedStep(
            x=s.x, y=s.y, params=p, grad_sample=single(s.g), norms=s.norms.astype(np.float32),
            clipped_sum=single(s.total), noised_sum=s.noised, params_after=after, batch_index=s.index,
            clip_norm=s.c, noise_multiplier=s.nm, divisor=s.divisor, expected_batch_size=expected,
            learning_rate=s.rate, momentum=s.momentum, step=number,
        )  # fmt: skip
        taken.append(result("batch", step))
        history.append(s)
        p = after
    return Trace(tuple(taken), {"framework": "faulty", "layout": "channels-first"})


def single(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """float32, where larger numbers are inf."""
    with np.errstate(over="ignore"):
        return {n: np.asarray(v).astype(np.float32) for n, v in arrays.items()}
