"""What every clipping rule must be (P1 to P11), as checks that take any registered rule.

The tests run them on refdp; the seeded-fault tests run them on rules broken on purpose, where they must fail.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from refdp.accounting.neighboring import sensitivity_factor
from refdp.backend import Backend, numpy_backend
from refdp.clippers import AdaptiveClipper, ClipContext, Clipper, clipped_sum, clippers, rounding_margin

NAMES = clippers.names()
SPECS = (  # every rule as it comes, and some at other parameters
    *NAMES,
    "auto-s:relative=true",
    "auto-s:gamma=1e-30",
    "nsgd:r=1",
    "psac:r=2",
    "psac:r=1e-12",
    "psasc:s=0.3,r=0.01",
    "psasc:s=1",
    "radial-mix:variant=0c,epochs=12",
    "radial-mix:m0=0,m1=1,gamma=0.5",
    "global:ratio=3",
    "per-layer:bounds=dimension,allocation=equal",
    "per-layer:bounds=1/2/0.5/3/1/1e-3,allocation=dimension",
    "per-layer:bounds=1/2/0.5/3/1/1e-3,allocation=equal",
    "per-layer-quantile:allocation=dimension,renormalise=true",
    "per-layer-quantile:allocation=equal",
    "quantile:min_clip_norm=1e-30,share=0.01",
    "dynamic:rho_c=0.1",
)
LAYERS = 6
SIZES = (1, 2, 3, 5, 8, 13)
STEPS = 9
MOMENTS = (0, 4, STEPS - 1)
EXTREME = ("1e-3", "rho_c=0.1")  # parameters whose range of clip norms is narrower


def make(spec: str, clip_norm: float = 1.0) -> Clipper:
    return clippers.create(spec, clip_norm=clip_norm)


def slices(clipper: Clipper, size: int) -> list[slice]:
    """As many groups as the rule wants, of uneven sizes; LAYERS of them need as many columns at least."""
    if not clipper.per_group:
        return [slice(0, size)]
    spare, parts = size - LAYERS, LAYERS * (LAYERS + 1)
    ends = [i + spare * (i * i + i) // parts for i in range(LAYERS + 1)]
    return [slice(start, end) for start, end in itertools.pairwise(ends)]


def context_of(
    clipper: Clipper,
    step: int = 0,
    steps: int = STEPS,
    margin: float = 0.0,
    sizes: tuple[int, ...] | None = None,
) -> ClipContext:
    """What is public at a step; an adaptive rule's thresholds have moved by then, each its own way."""
    if sizes is None:
        sizes = SIZES if clipper.per_group else (1,)
    released: dict[str, np.ndarray] = {}
    if isinstance(clipper, AdaptiveClipper):
        (name, start), *_ = clipper.initial(sizes).items()
        moved = start * np.exp(np.sin(np.arange(1, len(start) + 1) * step))
        released = {name: np.clip(moved, clipper.min_clip_norm, clipper.max_clip_norm)}
    return ClipContext(step, steps, margin, sizes, released)


def contexts(clipper: Clipper) -> list[ClipContext]:
    """The rule at several steps of a run."""
    return [context_of(clipper, step) for step in MOMENTS]


def summed(
    clipper: Clipper,
    rows: np.ndarray,
    step: int = 0,
    steps: int = STEPS,
    backend: Backend | None = None,
    margin: float | None = None,
) -> np.ndarray:
    """The clipped sum of these rows, on the host."""
    backend = backend or numpy_backend()
    groups = slices(clipper, rows.shape[1])
    sizes = tuple(group.stop - group.start for group in groups)
    margin = rounding_margin(rows.dtype) if margin is None else margin
    context = context_of(clipper, step, steps, margin, sizes)
    with np.errstate(all="ignore"):  # as the engine does
        total = clipped_sum(backend, clipper, backend.asarray(rows.copy()), groups, context)
    return backend.to_host(total)


def norms_of(clipper: Clipper, seed: int = 0, count: int = 200) -> np.ndarray:
    """[B, L] norms: wide, narrow, one large among small, ties, some layers zero."""
    rng = np.random.default_rng(seed)
    layers = LAYERS if clipper.per_group else 1
    wide = 10.0 ** rng.uniform(-6, 6, (count, layers))
    narrow = rng.uniform(0.05, 2, (count, layers))
    peak = np.where(np.arange(layers) == 1 % layers, 10.0 ** rng.uniform(-2, 8, (count, 1)), 1e-3)
    ties = np.tile(10.0 ** rng.uniform(-3, 3, (count, 1)), layers)
    sparse = wide * (rng.random(wide.shape) < 0.5)
    grid = np.tile(np.geomspace(1e-3, 1e3, count)[:, None], layers)
    return np.concatenate([wide, narrow, peak, ties, sparse, grid, np.zeros((1, layers))])


def gradients(seed: int, exponents: list[float], size: int, dtype: type, count: int = 8) -> np.ndarray:
    """Rows of mixed magnitudes: within a row, between rows, one huge entry among tiny ones, ties, all zero."""
    rng = np.random.default_rng(seed)
    mixed = rng.standard_normal((count, size)) * 10.0 ** rng.choice(exponents, (count, size))
    even = rng.standard_normal((count, size)) * 10.0 ** rng.choice(exponents, (count, 1))
    one = np.full((1, size), 10.0 ** min(exponents))
    one[0, rng.integers(size)] = 10.0 ** max(exponents)
    tied = np.full((1, size), 10.0 ** exponents[0])
    rows = np.concatenate([mixed, even, one, tied, np.zeros((1, size))]).astype(dtype)
    rows[:count][rng.random((count, size)) < 0.3] = 0
    return rows


def assert_bounded(
    clipper: Clipper, rows: np.ndarray, step: int = 0, steps: int = STEPS, backend: Backend | None = None
) -> None:
    """P1 and P2: the float64 norm of each row's contribution is at most K, exactly; zero rows contribute 0. However
    the noise is allocated, the contribution is at most 1 in units of the groups' noise."""
    groups = slices(clipper, rows.shape[1])
    sizes = tuple(group.stop - group.start for group in groups)
    context = context_of(clipper, step, steps, sizes=sizes)
    bound, stds = clipper.bound(context), clipper.noise_scales(context)
    assert stds.shape == (len(groups),)
    for row in rows:
        got = summed(clipper, row[None], step, steps, backend).astype(float)
        assert np.isfinite(got).all(), f"{clipper}: a contribution is not finite"
        norm = math.hypot(*got)
        assert norm <= bound, f"{clipper}: a record contributes {norm / bound!r} K"
        units = math.hypot(*(math.hypot(*got[g]) / std for g, std in zip(groups, stds, strict=True)))
        assert units <= 1, f"{clipper}: a record contributes {units!r} times the noise allocated for it"
        assert norm == 0 or row.any(), f"{clipper}: a zero gradient contributes"


def context_thresholds(clipper: Clipper, context: ClipContext) -> np.ndarray:
    """The norm of each group below which the rule leaves it alone, about."""
    far = np.full((1, len(context.sizes)), 1e12 * clipper.clip_norm)
    return (clipper.scales(np, far, context) * far)[0]


def check_bound(spec: str) -> None:
    """P1 on norms around C, far from it, and in one layer of many."""
    rng = np.random.default_rng(1)
    for clip_norm, dtype in itertools.product((1e-3, 0.7, 5.0), (np.float32, np.float64)):
        clipper = make(spec, clip_norm)
        direction = rng.standard_normal((3, 40))
        direction[1, 1:] *= 1e-6
        direction[2, :-9] *= 1e-9
        if clipper.per_group:  # one record just at the thresholds of all its groups
            context = context_of(clipper, sizes=tuple(g.stop - g.start for g in slices(clipper, 40)))
            for group, std in zip(slices(clipper, 40), context_thresholds(clipper, context), strict=True):
                direction[0, group] *= std / np.linalg.norm(direction[0, group])
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        for ratio, step in zip(np.geomspace(1e-4, 1e8, 60), itertools.cycle((0, 4, 8)), strict=False):
            assert_bounded(clipper, (direction * ratio * clip_norm).astype(dtype), step, STEPS)


def check_underflow(spec: str) -> None:
    """P1 where entries of 1.5e-162 vanish when squared: the norm computed from them is far less than the true one."""
    row = np.full((1, 5000), 1.5e-162)
    row[0, 0] = 1.6e-162
    for clip_norm in (1e-30, 1.0, 1e29):
        assert_bounded(make(spec, clip_norm), row)


def check_tight(spec: str) -> None:
    """K is no larger than it must be: some norm comes within a percent of it."""
    clipper = make(spec)
    norms = norms_of(clipper, count=1500)
    norms = np.concatenate([norms, np.full((1, norms.shape[1]), 1e20)])
    top, units = 0.0, 0.0
    for context in contexts(clipper):
        left = clipper.scales(np, norms, context) * norms
        top = max(top, float(np.sqrt((left**2).sum(axis=1)).max()) / clipper.bound(context))
        stds = clipper.noise_scales(context)
        units = max(units, float(np.sqrt(((left / stds) ** 2).sum(axis=1)).max()))
    assert top >= 0.99, f"{clipper}: contributes at most {top:.3g} K"
    assert units >= 0.99, f"{clipper}: contributes at most {units:.3g} times the noise allocated for it"


def check_scales(spec: str, clip_norm: float) -> None:
    """P1 and P2 on the norms themselves, to the ends of float64."""
    clipper = make(spec, clip_norm)
    ends = [0.0, 5e-324, 1e-310, 1e-300, 1e-170, 1e-160, 1e-154, 1e-140, 1e-30, 1.0, 1e30, 1e154, 1e300]
    layers = LAYERS if clipper.per_group else 1
    rows = [list(row) for row in itertools.product(ends, repeat=2)] if layers > 1 else [[n] for n in ends]
    norms = np.array([(row + [row[0]] * layers)[:layers] for row in rows])
    for step in (0, 4):
        context = context_of(clipper, step, margin=rounding_margin(float))
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            scales = clipper.scales(np, norms, context)
        assert scales.shape == norms.shape
        assert scales.dtype == np.float64
        assert np.isfinite(scales).all(), f"{clipper}: a scale is not finite"
        assert (scales >= 0).all()
        for row in scales * norms:
            assert math.hypot(*row) <= clipper.bound(context), f"{clipper}: a record contributes more than K"


def check_row_independence(spec: str) -> None:
    """P3 and P4: rows may be permuted, and changing one changes no other row's scales."""
    clipper = make(spec)
    norms = norms_of(clipper, count=20)
    rng = np.random.default_rng(2)
    for context in contexts(clipper):
        scales = clipper.scales(np, norms, context)
        order = rng.permutation(len(norms))
        np.testing.assert_array_equal(
            clipper.scales(np, norms[order], context), scales[order], "rows are not independent"
        )
        for changed, to in itertools.product(range(0, len(norms), 13), (0.0, 1e-9, 3.0, 1e9)):
            other = norms.copy()
            other[changed] = to
            kept = np.arange(len(norms)) != changed
            np.testing.assert_array_equal(
                clipper.scales(np, other, context)[kept], scales[kept], "rows are not independent"
            )


def check_layer_permutation(spec: str) -> None:
    """P3': permuted layers have permuted scales."""
    clipper = make(spec)
    norms = norms_of(clipper)
    order = np.random.default_rng(3).permutation(norms.shape[1])
    for context in contexts(clipper):
        sizes = tuple(context.sizes[i] for i in order)
        released = {name: values[order] for name, values in context.released.items()}
        np.testing.assert_allclose(
            clipper.scales(np, norms[:, order], replace(context, sizes=sizes, released=released)),
            clipper.scales(np, norms, context)[:, order],
            rtol=1e-13,
        )


def check_batch_split(spec: str) -> None:
    """P5: the parts of a batch sum to the whole."""
    clipper = make(spec)
    rows = np.concatenate([gradients(s, [-3, 0, 2], 30, np.float64) for s in range(2)])
    for context in contexts(clipper):
        whole = summed(clipper, rows, context.step)
        room = 1e-12 * clipper.bound(context) * len(rows)
        for size in (1, 2, 7, 20):
            parts = [summed(clipper, rows[i : i + size], context.step) for i in range(0, len(rows), size)]
            np.testing.assert_allclose(sum(parts), whole, rtol=0, atol=room)


def check_neighbouring_sums(spec: str) -> None:
    """P11, as an attack: remove each record, or put its opposite, a large one or nothing in its place."""
    for clip_norm in (0.01, 3.0):
        clipper = make(spec, clip_norm)
        for seed, step in itertools.product(range(3), MOMENTS):
            sizes = tuple(group.stop - group.start for group in slices(clipper, 30))
            context = context_of(clipper, step, sizes=sizes)
            bound = clipper.bound(context)
            room = 1e-12 * bound
            rng = np.random.default_rng(seed)
            rows = rng.standard_normal((7, 30)) * 10.0 ** rng.uniform(-3, 4, (7, 1)) * clip_norm
            rows *= 10.0 ** rng.uniform(-2, 2, rows.shape)
            whole = summed(clipper, rows, step)
            for i in range(len(rows)):
                once = sensitivity_factor("add-remove") * bound
                moved = float(np.linalg.norm(whole - summed(clipper, np.delete(rows, i, axis=0), step)))
                assert moved <= once + room, f"{clipper}: removing a record moved the sum by {moved / once} K"
                twice = clipper.sensitivity("replace-one", context)
                assert twice == 2 * bound
                for other in (-rows[i], -rows[i] * 1e6, rows[i - 1] * 1e3, 0 * rows[i]):
                    replaced = rows.copy()
                    replaced[i] = other
                    moved = float(np.linalg.norm(whole - summed(clipper, replaced, step)))
                    assert moved <= twice + room, (
                        f"{clipper}: replacing a record moved the sum by {moved / twice} 2K"
                    )


def check_nan_records(spec: str) -> None:
    """A record with NaN or inf contributes nothing and changes nothing else."""
    clipper = make(spec)
    clean = np.random.default_rng(0).standard_normal((5, 30))
    expected = summed(clipper, np.delete(clean, 2, axis=0))
    for poison in (math.nan, math.inf, -math.inf, 1e200):
        rows = clean.copy()
        rows[2, 4] = poison
        np.testing.assert_allclose(summed(clipper, rows), expected, rtol=1e-13, atol=1e-15)
    assert not summed(clipper, np.full((2, 30), math.nan)).any()
    assert summed(clipper, clean[:0]).shape == (30,)
    assert not summed(clipper, clean[:0]).any()


def _worst_idempotent(clipper: Clipper, norms: np.ndarray, context: ClipContext) -> float:
    once = clipper.scales(np, norms, context) * norms
    twice = clipper.scales(np, once, context) * once
    size = np.maximum(np.sqrt((once**2).sum(axis=1)), 1e-300)
    return float((np.sqrt(((twice - once) ** 2).sum(axis=1)) / size).max())


def _rays(norms: np.ndarray) -> np.ndarray:
    """[B, T, L]: each row, not zero, stretched from 1e-3 to 1e3 times its length around C."""
    rows = norms[norms.any(axis=1)][::5]
    rows = rows / np.sqrt((rows**2).sum(axis=1, keepdims=True))
    stretches: np.ndarray = rows[:, None, :] * np.geomspace(1e-3, 1e3, 200)[None, :, None]
    return stretches


def _on_rays(clipper: Clipper, norms: np.ndarray, context: ClipContext) -> tuple[np.ndarray, np.ndarray]:
    rays = _rays(norms)
    scales = clipper.scales(np, rays.reshape(-1, rays.shape[2]), context).reshape(rays.shape)
    return rays, scales


def _worst_contribution(clipper: Clipper, norms: np.ndarray, context: ClipContext) -> float:
    rays, scales = _on_rays(clipper, norms, context)
    lengths = np.sqrt(((scales * rays) ** 2).sum(axis=2))
    return float((-np.diff(lengths, axis=1)).max() / clipper.bound(context))


def _worst_weight(clipper: Clipper, norms: np.ndarray, context: ClipContext) -> float:
    _, scales = _on_rays(clipper, norms, context)
    return float((np.diff(scales, axis=1) / np.maximum(scales[:, :-1], 1e-300)).max())


def _worst_homogeneous(clipper: Clipper, norms: np.ndarray, context: ClipContext) -> float:
    spec, scales = clipper.name, clipper.scales(np, norms, context)
    worst = 0.0
    for c in (1e-3, 7.0, 1e4):
        scaled = make(spec, c * clipper.clip_norm)
        other = scaled.scales(np, c * norms, context_of(scaled, context.step))
        worst = max(worst, float((np.abs(other - scales) / np.maximum(scales, 1e-300)).max()))
    return worst


def _worst_direction(clipper: Clipper, norms: np.ndarray, context: ClipContext) -> float:
    scales = clipper.scales(np, norms, context)
    return float(((scales.max(axis=1) - scales.min(axis=1)) / np.maximum(scales.max(axis=1), 1e-300)).max())


PROPERTIES: dict[str, Callable[[Clipper, np.ndarray, ClipContext], float]] = {
    "idempotent": _worst_idempotent,
    "contribution_monotone": _worst_contribution,
    "weight_monotone": _worst_weight,
    "homogeneous": _worst_homogeneous,
    "direction_kept": _worst_direction,
}
"""How far a rule is from having each property, relatively: about 0 where it has it."""


def check_property(name: str, which: str, declared: bool | None = None) -> None:
    """P6 to P10: what the rule declares holds; what it denies has a witness, off by a thousandth or more."""
    clipper: Any = make(name)
    declared = getattr(clipper, which) if declared is None else declared
    worst = max(PROPERTIES[which](clipper, norms_of(clipper), context) for context in contexts(clipper))
    if declared:
        assert worst < 1e-9, f"{name} declares {which}, and is off by {worst:.2g}"
    else:
        assert worst > 1e-3, f"{name} denies {which}, and no witness is found"
