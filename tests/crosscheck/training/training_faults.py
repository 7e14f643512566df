"""Faults to put in ``faulty_step.run``, one for each known cause: where, what, and with which model and settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from crosscheck.training import faulty_step as fs


@dataclass(frozen=True)
class Fault:
    """What ``hook`` does to ``stage`` has the cause ``id``."""

    id: str
    stage: str
    hook: fs.Hook
    model: str = "mlp"
    settings: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.id}-{self.model}"


def _times(factor: Any) -> fs.Hook:
    return lambda s, arrays: {
        n: v * np.float32(factor(s) if callable(factor) else factor) for n, v in arrays.items()
    }


def _again(**how: Any) -> fs.Hook:
    return lambda s, g: fs.gradients(s.model, s.p, s.x, s.y, **how)


def _biases(change: Any) -> fs.Hook:
    return lambda s, g: {n: change(s, v) if n.endswith("bias") else v for n, v in g.items()}


def _by_sample(factors: Any) -> fs.Hook:
    return lambda s, g: {
        n: v * factors(s).astype("f").reshape(-1, *(1,) * (v.ndim - 1)) for n, v in g.items()
    }


def _labels(change: Any) -> fs.Hook:
    return lambda s, g: fs.gradients(s.model, s.p, s.x, change(s.y))


def _smooth(s: Any, g: Any) -> Any:
    every = [fs.gradients(s.model, s.p, s.x, np.full_like(s.y, k)) for k in range(fs.CLASSES)]
    return {n: 0.9 * v + 0.1 * sum(e[n] for e in every) / fs.CLASSES for n, v in g.items()}


def _overflow(s: Any, g: Any) -> Any:
    with np.errstate(over="ignore"):
        return {n: v.astype(np.float16).astype(np.float32) for n, v in g.items()}


def _huge(s: Any, g: Any) -> Any:
    s.x = s.x * np.float32(3e5)
    return _overflow(s, fs.gradients(s.model, s.p, s.x, s.y))


GRADIENTS = [
    Fault("mean-loss", "gradients", _times(lambda s: 1 / s.size)),
    Fault("mean-loss", "gradients", _times(lambda s: 1 / s.divisor), "ws"),
    Fault("loss-times-batch", "gradients", _times(lambda s: s.size)),
    Fault("loss-scale", "gradients", _times(1024.0)),
    Fault("gradients-sign", "gradients", _times(-1.0)),
    Fault("gradients-scaled", "gradients", _times(0.7), "conv"),
    Fault("bias-gradient-zero", "gradients", _biases(lambda s, v: 0 * v), "conv"),
    Fault("gradient-left-out", "gradients", lambda s, g: {n: v * (n != "fc1.weight") for n, v in g.items()}),
    Fault(
        "bias-gradient-scaled", "gradients",
        lambda s, g: {n: v / 30 if n == "conv1.bias" else v for n, v in g.items()}, "conv",
    ),
    Fault("standardisation-biased", "gradients", _again(biased=True), "ws"),
    Fault("standardisation-epsilon", "gradients", _again(epsilon=(1e-5, 0.0)), "ws"),
    Fault("channels-last-patches", "gradients", _again(channels_last=True), "conv"),
    *[Fault("low-precision", "gradients", _again(bits=b), m) for b in (8, 11) for m in ("mlp", "conv")],
    Fault("low-precision", "gradients", lambda s, g: {n: fs.rounded(v, 8) for n, v in g.items()}),
    Fault("float16-overflow", "gradients", _huge),
    Fault("rows-out-of-order", "gradients", lambda s, g: {n: v[::-1] for n, v in g.items()}),
    Fault("labels-out-of-order", "gradients", _labels(lambda y: np.roll(y, 1)), "conv"),
    Fault("other-labels", "gradients", _labels(lambda y: np.where(np.arange(len(y)) < 4, (y + 1) % 5, y))),
    Fault("label-smoothing", "gradients", _smooth),
    Fault("gradients-already-clipped", "gradients", _by_sample(lambda s: fs.clip(fs.length(s.g), s.c))),
    Fault("gradients-normalised", "gradients", _by_sample(lambda s: s.c / (fs.length(s.g) + 1e-6))),
    Fault("class-weights", "gradients", _by_sample(lambda s: np.array([1, 2, 0.5, 3, 1.5])[s.y])),
    Fault("weight-decay-in-loss", "gradients", lambda s, g: {n: v + np.float32(0.01) * s.p[n] for n, v in g.items()}),
    Fault("stale-weights", "gradients", lambda s, g: fs.gradients(s.model, s.history[-1].p, s.x, s.y)),
    Fault("gradients-not-cleared", "gradients", lambda s, g: {n: v + s.history[-1].g[n] for n, v in g.items()}),
    Fault(
        "layout", "gradients",
        lambda s, g: {n: v[..., ::-1, ::-1] if v.ndim == 5 else v for n, v in g.items()}, "conv",
    ),
]  # fmt: skip

NORMS = [
    Fault("norms-without-bias", "norms", lambda s, n: fs.length(s.g, lambda name: "bias" not in name)),
    Fault("norms-of-one-part", "norms", lambda s, n: fs.length(s.g, lambda name: "fc." in name), "conv"),
    Fault("norms-of-another-measure", "norms", lambda s, n: sum(fs.length({k: v}) for k, v in s.g.items())),
    Fault("norms-squared", "norms", lambda s, n: n**2),
    Fault("norms-capped", "norms", lambda s, n: np.minimum(n, s.c)),
    Fault("norms-of-mean-loss", "norms", lambda s, n: n / s.size),
    Fault("norms-times-batch", "norms", lambda s, n: n * s.size),
    Fault("norms-low-precision", "norms", lambda s, n: fs.rounded(n, 8)),
    Fault("norms-out-of-order", "norms", lambda s, n: n[::-1]),
    Fault(
        "norms-of-the-batch", "norms",
        lambda s, n: np.full(s.size, np.sqrt(sum(np.square(v.sum(0)).sum() for v in s.g.values()))),
    ),
]  # fmt: skip


def _scales(make: Any) -> fs.Hook:
    return lambda s, total: fs.weighted(s, make(s, fs.length(s.g)))


def _each(groups: Any) -> fs.Hook:
    def hook(s: Any, total: Any) -> Any:
        found = {}
        for names, share in groups(s):
            rows = {n: s.g[n] for n in names}
            found |= fs.weighted(s, fs.clip(fs.length(rows), s.c * share), rows)
        return {n: found[n] for n in total}

    return hook


def _micro(k: int, share: float) -> fs.Hook:
    def hook(s: Any, total: Any) -> Any:
        rows = {n: share * v.reshape(-1, k, *v.shape[1:]).sum(1) for n, v in s.g.items()}
        return fs.weighted(s, fs.clip(fs.length(rows), s.c), rows)

    return hook


def _one(record: int, factor: Any) -> fs.Hook:
    return _scales(lambda s, n: fs.clip(n, s.c) * np.where(np.arange(len(n)) == record, factor(s, n), 1.0))


def _water_filling(s: Any, total: Any) -> Any:
    """min(n_l, tau) for each parameter, tau by bisection."""
    norms = np.stack([fs.length({n: v}) for n, v in s.g.items()], axis=1)
    low, high = np.zeros((len(norms), 1)), norms.max(axis=1, keepdims=True) * 2
    for _ in range(100):
        tau = (low + high) / 2
        fits = np.square(np.minimum(norms, tau)).sum(axis=1, keepdims=True) <= s.c**2
        low, high = np.where(fits, tau, low), np.where(fits, high, tau)
    return {
        n: fs.weighted(s, fs.clip(norms[:, k], low[:, 0]), {n: v})[n] for k, (n, v) in enumerate(s.g.items())
    }


def _narrow_norms(s: Any, total: Any) -> Any:
    """Norms and factors in bfloat16, as Opacus 1.6.0 has them under autocast."""
    each = fs.rounded(np.stack([fs.length({n: v}) for n, v in s.g.items()]), 8)
    norms = fs.rounded(np.sqrt(np.square(each).sum(axis=0)), 8)
    return fs.weighted(s, fs.rounded(fs.clip(norms, s.c), 8))


def _tensors(share: float) -> Any:
    return lambda s: [([n], share) for n in s.g]


def _layers(share: float) -> Any:
    return lambda s: [([n for n in s.g if n.startswith(layer)], share) for layer in ("conv1", "fc")]


SUMS = [
    Fault("clip-epsilon", "clipped sum", _scales(lambda s, n: fs.clip(n, s.c, 1e-2))),
    Fault("clip-epsilon", "clipped sum", _scales(lambda s, n: fs.clip(n, s.c, 1e-2)), "conv"),
    Fault("clipped-without-bias", "clipped sum", _scales(
        lambda s, n: fs.clip(fs.length(s.g, lambda name: "bias" not in name), s.c))),
    Fault("clipped-by-one-part", "clipped sum", _scales(
        lambda s, n: fs.clip(fs.length(s.g, lambda name: "fc1" in name), s.c))),
    Fault("clipped-by-another-measure", "clipped sum", _scales(
        lambda s, n: fs.clip(np.max([fs.length({k: v}) for k, v in s.g.items()], 0), s.c))),
    Fault("per-layer-full-clip-norm", "clipped sum", _each(_tensors(1.0))),
    Fault("per-layer-full-clip-norm", "clipped sum", _each(_layers(1.0)), "conv"),
    Fault("per-layer", "clipped sum", _each(_tensors(0.5))),
    Fault("rule-auto-v", "clipped sum", _scales(lambda s, n: s.c / n)),
    Fault("rule-auto-s", "clipped sum", _scales(lambda s, n: s.c / (n + 0.01)), "conv"),
    Fault("rule-psac", "clipped sum", _scales(lambda s, n: s.c / (n + 0.1 / (n + 0.1)))),
    Fault("rule-psasc", "clipped sum", _scales(lambda s, n: s.c / (0.7 * n + 0.1 / (n + 0.1)))),
    Fault("rule-water-filling", "clipped sum", _water_filling),
    Fault("rule-global", "clipped sum", _scales(lambda s, n: (n <= s.c).astype(float))),
    Fault("other-clip-norm", "clipped sum", _scales(lambda s, n: fs.clip(n, 0.55)), "conv"),
    Fault("batch-clipped", "clipped sum", _micro(12, 1.0)),
    Fault("batch-clipped", "clipped sum", _micro(12, 1 / 12), "conv", {"clip_norm": 0.05}),
    Fault("micro-batch-clipped", "clipped sum", _micro(3, 1 / 3)),
    Fault("micro-batch-clipped", "clipped sum", _micro(4, 1.0), "conv"),
    Fault("not-clipped", "clipped sum", _scales(lambda s, n: np.ones(len(n)))),
    Fault("entries-clamped", "clipped sum", lambda s, t: {n: np.clip(v, -0.1, 0.1).sum(0) for n, v in s.g.items()},
          "mlp", {"clip_norm": 0.1}),
    Fault("mean-as-sum", "clipped sum", _times(lambda s: 1 / s.size)),
    Fault("unit-norm", "clipped sum", _times(lambda s: 1 / s.c)),
    Fault("sum-sign", "clipped sum", _times(-1.0)),
    Fault("sum-scaled", "clipped sum", _times(1.5), "conv"),
    Fault("record-counted-twice", "clipped sum", _one(3, lambda s, n: 2.0)),
    Fault("record-left-out", "clipped sum", _one(5, lambda s, n: 0.0), "conv"),
    Fault("record-not-clipped", "clipped sum", _one(4, lambda s, n: 1 / fs.clip(n, s.c)), "mlp", {"clip_norm": 0.2}),
    Fault("scales-out-of-order", "clipped sum", _scales(lambda s, n: fs.clip(n, s.c)[::-1])),
    Fault("sum-low-precision", "clipped sum", _narrow_norms),
    Fault("sum-low-precision", "clipped sum", lambda s, t: {n: fs.rounded(v, 8) for n, v in t.items()}),
    Fault("sum-low-precision", "clipped sum", lambda s, t: fs.weighted(
        s, fs.rounded(fs.clip(fs.length(s.g), s.c), 11), {n: fs.rounded(v, 11) for n, v in s.g.items()}), "conv"),
    Fault("clip-power", "clipped sum", _scales(lambda s, n: np.minimum(1, (s.c / n) ** 2))),
    Fault("clip-power", "clipped sum", _scales(lambda s, n: np.minimum(1, s.c / n**2)), "conv"),
]  # fmt: skip


def _law(draw: Any) -> fs.Hook:
    return lambda s, noise: {n: draw(s, v.shape) for n, v in noise.items()}


def _reseeded(s: Any, noise: Any) -> Any:
    return {n: np.random.default_rng(7).normal(0, s.nm * s.c, v.shape) for n, v in noise.items()}


NOISE = [
    Fault("noise-on-the-mean", "noise", _times(lambda s: 1 / s.divisor)),
    Fault("noise-on-the-mean", "noise", _times(lambda s: 1 / s.size), "conv", {"expected": 30.0}),
    Fault("noise-times-batch", "noise", _times(lambda s: s.divisor)),
    Fault("noise-per-sample", "noise", _times(lambda s: s.size**0.5), "conv", {"expected": 12.0, "clip_norm": 0.5}),
    Fault("noise-by-realised-size", "noise", _times(lambda s: s.size / s.divisor), "conv", {"expected": 8.0}),
    Fault("noise-without-clip-norm", "noise", _times(lambda s: 1 / s.c), "conv", {"clip_norm": 0.21}),
    Fault("clip-norm-twice", "noise", _times(lambda s: s.c), "conv", {"clip_norm": 0.37}),
    Fault("noise-doubled", "noise", _times(2.0)),
    Fault("noise-for-layers", "noise", _times(3**0.5), "ws"),
    Fault("noise-halved", "noise", _times(0.5)),
    Fault("noise-per-micro-batch", "noise", _times(3**0.5), "conv"),
    Fault("noise-shared-out", "noise", _times(3**-0.5)),
    Fault("noise-multiplier-squared", "noise", _times(lambda s: s.nm), "conv", {"noise_multiplier": 2.7}),
    Fault("noise-without-multiplier", "noise", _times(lambda s: 1 / s.nm), "conv", {"noise_multiplier": 2.7}),
    Fault("deviation-as-variance", "noise", _times(lambda s: (s.nm * s.c) ** -0.5), "conv", {"noise_multiplier": 2.0}),
    Fault("noise-root-batch", "noise", _times(lambda s: s.divisor**-0.5), "conv", {"clip_norm": 2.0}),
    Fault("variance-as-deviation", "noise", _times(lambda s: s.nm * s.c), "mlp", {"noise_multiplier": 5.0}),
    Fault("noise-missing", "noise", _times(0.0)),
    Fault("noise-missing-on-parameters", "noise", lambda s, z: {n: v * (n != "fc1.weight") for n, v in z.items()}),
    Fault("noise-by-parameter", "noise", lambda s, z: {n: v * (2 - (n == "fc.weight")) for n, v in z.items()}, "conv"),
    Fault("noise-laplace", "noise", _law(lambda s, shape: s.rng.laplace(0, s.nm * s.c, shape)), "conv"),
    Fault("noise-uniform", "noise", _law(lambda s, shape: s.rng.uniform(-1, 1, shape) * s.nm * s.c), "conv"),
    Fault("noise-of-another-parameter", "noise", _reseeded),
    Fault("noise-broadcast", "noise", lambda s, z: {n: v * 0 + v[:1] if v.ndim > 1 else v for n, v in z.items()}),
    Fault("noise-undeclared", "noise", lambda s, z: {n: v + 0.1 for n, v in z.items()},
          "mlp", {"noise_multiplier": 0.0}),
]  # fmt: skip


def _mean(total: Any, momentum: Any = None) -> fs.Hook:
    """A step of some sum by name, with the momentum before it."""
    return lambda s, move: {
        n: -s.rate * ((s.momentum if momentum is None else momentum(s)) * s.velocity[n] + v / s.divisor)
        for n, v in total(s).items()
    }


def _moved(make: Any) -> fs.Hook:
    return lambda s, move: {n: make(s, n, move[n]) for n in move}


_PLAIN = {"momentum": 0.0}
UPDATE = [
    Fault("update-uphill", "update", _times(-1.0)),
    Fault("realised-batch-size", "update", _times(lambda s: s.divisor / s.size)),
    Fault("divided-twice", "update", _times(lambda s: 1 / s.divisor), "conv"),
    Fault("not-divided", "update", _times(lambda s: s.divisor)),
    Fault("learning-rate-twice", "update", _times(lambda s: s.rate)),
    Fault("without-learning-rate", "update", _times(lambda s: 1 / s.rate)),
    Fault("other-learning-rate", "update", _times(0.77)),
    Fault("update-without-noise", "update", _mean(lambda s: s.total)),
    Fault("update-without-privacy", "update", _mean(lambda s: fs.weighted(s, np.ones(s.size))), "conv"),
    Fault("momentum-nesterov", "update", _moved(
        lambda s, n, v: -s.rate * (s.mean[n] + s.momentum * (s.momentum * s.velocity[n] + s.mean[n])))),
    Fault("momentum-dampened", "update", _moved(
        lambda s, n, v: -s.rate * (s.momentum * s.velocity[n] + (1 - s.momentum) * s.mean[n]))),
    Fault("momentum-forgotten", "update", _mean(lambda s: s.noised, lambda s: 0.0)),
    Fault("weight-decay", "update", _moved(lambda s, n, v: v - s.rate * 0.1 * s.p[n])),
    Fault("weight-decay", "update", _moved(lambda s, n, v: v - s.rate * 0.1 * s.p[n] * (v.ndim > 1)), "conv"),
    Fault("adam-step", "update", _moved(lambda s, n, v: -s.rate * s.mean[n] / (abs(s.mean[n]) + 1e-8)), "mlp", _PLAIN),
    Fault("normalised-step", "update", _moved(
        lambda s, n, v: -s.rate * s.mean[n] / np.sqrt(sum(np.square(m).sum() for m in s.mean.values()))),
        "mlp", _PLAIN),
    Fault("sign-step", "update", _moved(lambda s, n, v: -s.rate * np.sign(s.mean[n])), "conv", _PLAIN),
    Fault("rmsprop-step", "update", _moved(
        lambda s, n, v: -s.rate * s.mean[n] / (0.1 * abs(s.mean[n]) + 1e-8)), "conv", _PLAIN),
    Fault("momentum-reversed", "update", _moved(
        lambda s, n, v: -s.rate * ((1 - s.momentum) * s.velocity[n] + s.momentum * s.mean[n]))),
    Fault("momentum-late", "update", _moved(lambda s, n, v: -s.rate * s.velocity[n])),
    Fault("update-skipped", "update", _times(0.0)),
    Fault("parameters-not-updated", "update", _moved(lambda s, n, v: v * (n != "fc2.weight"))),
    Fault("stale-sum", "update", _mean(lambda s: s.history[-1].noised)),
    Fault("sum-not-cleared", "update", _mean(
        lambda s: {n: v + s.history[-1].noised[n] for n, v in s.noised.items()}), "conv"),
]  # fmt: skip
FAULTS = [*GRADIENTS, *NORMS, *SUMS, *NOISE, *UPDATE]
