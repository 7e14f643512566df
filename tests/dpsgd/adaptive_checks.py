"""What the rules ``quantile`` and ``per-layer-quantile`` must be, as checks that take a rule's name.

The tests run them on refdp; the seeded-fault tests run them on refdp broken on purpose, where they must fail.
Expected values are written out from Andrew et al. 2021 and He et al. 2022, not taken from the code under test.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from clipper_checks import SIZES, context_of, make, slices
from helpers import small_trainer
from scipy import stats

from refdp.backend import Backend, numpy_backend
from refdp.clippers import ClipContext, usable_norms
from refdp.engine import Trainer

BATCH = 12
POISON = (math.nan, math.inf, -math.inf, 1e200)
Z = 1.3
"""The gradient's noise multiplier in ``walk``."""


def spec_of(name: str, **parameters: Any) -> str:
    """``name:parameter=value,...``."""
    return ":".join([name, ",".join(f"{key}={value}" for key, value in parameters.items())]).rstrip(":")


def thresholds(trainer: Trainer) -> np.ndarray:
    """C_l, as released before this step."""
    return trainer.released["clip_norms"].copy()


@dataclass
class Step:
    """One step as seen from outside, and what it should have been given the thresholds released before it."""

    indices: np.ndarray
    before: np.ndarray
    after: np.ndarray
    released: np.ndarray
    clean: np.ndarray
    counts: np.ndarray


def expected_sums(trainer: Trainer, indices: np.ndarray, limits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(sum of clipped gradients [D], sum of b - 1/2 [L]) at these thresholds, a record at a time."""
    network, groups = trainer.plan.network, trainer.plan.groups
    total, counts = np.zeros(network.size), np.zeros(len(groups))
    row = np.empty((1, network.size))
    for i in indices:
        x = trainer.data.prepare(np, trainer._train_x[i : i + 1])
        network.per_sample_gradients(np, trainer.theta, x, trainer._train_y[i : i + 1], row)
        for place, (group, limit) in enumerate(zip(groups, limits, strict=True)):
            norm = math.sqrt(math.fsum(float(v) ** 2 for v in row[0, group]))
            total[group] += row[0, group] * (min(1.0, limit / norm) if norm else 0.0)
            counts[place] += 0.5 if norm <= limit else -0.5
    return total, counts


def walk(spec: str, steps: int, spoil: int | None = None, **options: Any) -> list[Step]:
    """Run steps of plain SGD at learning rate 1; at step ``spoil`` the batch's records are other ones."""
    options = {"noise_multiplier": Z, "batch_size": BATCH, **options}
    trainer, found = small_trainer(clipping=spec, steps=steps, **options), []
    whole = trainer._train_x
    for t in range(steps):
        indices = trainer.plan.sampler.batch(t, trainer.streams).indices
        if t == spoil:
            trainer._train_x = whole.copy()
            trainer._train_x[indices] *= -40.0
        before, theta = thresholds(trainer), trainer.theta.copy()
        clean, counts = expected_sums(trainer, indices, before)
        trainer.advance()
        released = (theta - trainer.theta) * BATCH
        found.append(Step(indices, before, thresholds(trainer), released, clean, counts))
        trainer._train_x = whole
    return found


def counted(spec: str, rows: np.ndarray, step: int = 0, backend: Backend | None = None) -> np.ndarray:
    """The counts of these gradients, on the host."""
    backend, clipper = backend or numpy_backend(), make(spec)
    groups = slices(clipper, rows.shape[1])
    context = context_of(clipper, step, sizes=tuple(g.stop - g.start for g in groups))
    with np.errstate(all="ignore"):
        norms, usable = usable_norms(backend, backend.asarray(rows.copy()), groups)
    host: np.ndarray = backend.to_host(clipper.counts(backend.xp, norms, usable, context))  # type: ignore[attr-defined]
    return host


def check_counts(name: str) -> None:
    """Sums of 1[n_l <= C_l] - 1/2, exactly: ties are below; no record, an unusable one and a gradient of 0 are 0."""
    clipper = make(name)
    for step in (0, 4, 8):
        context = context_of(clipper, step)
        limits = context.released["clip_norms"]
        ratios = np.array([0.0, 1e-300, 0.5, 1.0, 1.0 + 2.0**-50, 3.0, 1e200])
        norms = ratios[:, None] * limits
        usable = np.arange(len(ratios)) != 2
        for chosen in (usable, ~usable, usable & False):
            got = clipper.counts(np, norms, chosen, context)  # type: ignore[attr-defined]
            counted = [r for r, used in zip(ratios, chosen, strict=True) if used and r > 0]
            below = [0.5 if r <= 1 else -0.5 for r in counted]
            assert got.tolist() == [math.fsum(below)] * len(limits), f"{name}: counts are {got}"
        nobody = clipper.counts(np, norms[:0], usable[:0], context)  # type: ignore[attr-defined]
        assert nobody.tolist() == [0.0] * len(limits), f"{name}: an empty batch counts {nobody}"


def assert_counts_move(
    spec: str, rows: np.ndarray, other: np.ndarray, backend: Backend | None = None
) -> None:
    """Taking away, nulling (NaN, inf) or replacing row 0 moves the counts by sqrt(L) / 2, or sqrt(L), at most."""
    layers = len(SIZES) if make(spec).per_group else 1
    for step in (0, 5):
        whole = counted(spec, rows, step, backend)
        gone = counted(spec, rows[1:], step, backend)
        assert np.linalg.norm(whole - gone) <= math.sqrt(layers) / 2, (
            f"{spec}: a record moved the counts too far"
        )
        for poison in POISON:
            null = rows.copy()
            with np.errstate(over="ignore"):
                null[0, 0] = poison
            np.testing.assert_array_equal(
                counted(spec, null, step, backend), gone, f"{spec}: a null record is counted"
            )
        zeroed = np.concatenate([np.zeros_like(rows[:1]), rows[1:]])
        np.testing.assert_array_equal(
            counted(spec, zeroed, step, backend), gone, f"{spec}: a record that was zeroed out is counted"
        )
        replaced = np.concatenate([other[None], rows[1:]])
        moved = np.linalg.norm(whole - counted(spec, replaced, step, backend))
        assert moved <= math.sqrt(layers), f"{spec}: a replaced record moved the counts too far"


def check_count_moves(name: str) -> None:
    """The trainer's own counts as an attack: each record removed, zeroed out (NaN, inf) or replaced."""
    trainer = small_trainer(clipping=name, clip_norm=2.0, chunk=5)
    layers = len(trainer.plan.sizes)
    clean, everyone = trainer._train_x.copy(), np.arange(BATCH)
    clean[1], clean[2] = 0.0, clean[2] * 1e3
    trainer._train_x = clean
    whole, moves = trainer.summed(everyone)[1], []
    for i in everyone:
        gone = trainer.summed(np.delete(everyone, i))[1]
        moves.append(float(np.linalg.norm(whole - gone)))
        assert moves[-1] <= math.sqrt(layers) / 2, f"{name}: a record moved the counts by {moves[-1]}"
        for poison in POISON[:3]:
            trainer._train_x = clean.copy()
            trainer._train_x[i, 2] = poison
            moved = float(np.linalg.norm(whole - trainer.summed(everyone)[1]))
            assert moved <= math.sqrt(layers) / 2, f"{name}: zeroing a record out moved the counts by {moved}"
            trainer._train_x = clean
        for other in (1, 2, 30, 40):
            swapped = trainer.summed(np.where(everyone == i, other, everyone))[1]
            moved = float(np.linalg.norm(whole - swapped))
            assert moved <= math.sqrt(layers), f"{name}: replacing a record moved the counts by {moved}"
    assert max(moves) == math.sqrt(layers) / 2, f"{name}: the attack is not the worst one: {max(moves)}"


def check_order(name: str) -> None:
    """A step clips with the thresholds released before it, and its noise follows them, whatever the batch holds."""
    bare: dict[str, Any] = {"clip_norm": 0.3, "steps": 14, "chunk": 5}
    spec = spec_of(name, rate=2, count_noise=0.3)
    for t, step in enumerate(walk(spec, noise_multiplier=1e-7, **bare)):
        np.testing.assert_allclose(
            step.released,
            step.clean,
            rtol=0,
            atol=2e-5,
            err_msg=f"{name}, step {t}: clipped with other thresholds",
        )
    t = 5
    one, other = walk(spec, **bare)[t], walk(spec, spoil=t, **bare)[t]
    assert not np.allclose(one.clean, other.clean)
    np.testing.assert_array_equal(one.before, other.before)
    np.testing.assert_allclose(
        one.released - one.clean,
        other.released - other.clean,
        rtol=0,
        atol=1e-9,
        err_msg=f"{name}: the noise depends on the batch",
    )


def check_update(name: str) -> None:
    """C_{t+1} = C_t exp(-eta (b~ - gamma)), b~ = clip(sum(b - 1/2) / B + 1/2, 0, 1), B the expected batch size."""
    gamma, eta = 0.4, 0.7
    spec = spec_of(name, quantile=gamma, rate=eta, count_noise=1e-9)
    steps = walk(spec, 25, clip_norm=0.9, chunk=5)
    assert len({len(step.indices) for step in steps}) > 3
    assert len({tuple(step.counts) for step in steps}) > 5
    for t, step in enumerate(steps):
        below = np.clip(step.counts / BATCH + 0.5, 0, 1)
        expected = step.before * np.exp(-eta * (below - gamma))
        np.testing.assert_allclose(
            step.after, expected, rtol=1e-8, err_msg=f"{name}, step {t}: the thresholds moved otherwise"
        )


def check_count_noise(name: str) -> None:
    """The noise on the counts is N(0, count_noise^2): fresh each step and layer, once a batch, the counts' own."""
    eta, gamma, std = 0.1, 0.5, 0.4
    steps = walk(spec_of(name, rate=eta, count_noise=std), 120, clip_norm=1.0, chunk=3)
    noise, gradients = [], []
    for step in steps:
        below = gamma - np.log(step.after / step.before) / eta
        inside = (below > 1e-9) & (below < 1 - 1e-9)
        noise.append((((below - 0.5) * BATCH - step.counts) / std)[inside])
        gradients.append((step.released - step.clean) / (Z * math.hypot(*step.before)))
    every = np.concatenate(noise)
    assert every.size > 100
    assert np.abs(every).max() > 1e-3, f"{name}: the counts have no noise"
    assert len(set(np.round(every, 7))) == every.size, f"{name}: count noise is reused"
    near = [np.abs(g[:, None] - a[None, :]).min() for g, a in zip(gradients, noise, strict=True) if a.size]
    assert np.sort(near)[len(near) // 10] > 1e-9, f"{name}: the count noise is the gradient's"
    spread = float(np.sum(every**2))
    low, high = stats.chi2.ppf([1e-5, 1 - 1e-5], every.size)
    assert low < spread < high, f"{name}: count noise is off by {math.sqrt(spread / every.size):.3f}"
    assert stats.kstest(every, "norm").pvalue > 1e-4, f"{name}: count noise is not Gaussian"


def check_delivered_noise(name: str) -> None:
    """The noise of the sums has standard deviation z sqrt(sum_l C_l^2) of the thresholds in use, at every step."""
    for step in walk(spec_of(name, rate=1, count_noise=0.3), 16, clip_norm=0.01, hidden=40):
        std = Z * math.sqrt(math.fsum(float(c) ** 2 for c in step.before))
        off = float(np.std(step.released - step.clean)) / std
        assert abs(off - 1) < 6 / math.sqrt(2 * step.released.size), f"{name}: the noise is off by {off:.3f}"


def check_fixed_point(name: str) -> None:
    """Without noise, from far below and above, C_l comes to the gamma-quantile of norms that stay as they are."""
    records, eta = 400, 0.2
    ranks = (np.arange(records) + 0.5) / records
    for gamma, start in itertools.product((0.3, 0.5, 0.85), (0.01, 60.0)):
        clipper: Any = make(spec_of(name, quantile=gamma, rate=eta), start)
        sizes = SIZES if clipper.per_group else (1,)
        scale = 1.0 + np.arange(len(sizes))
        norms = -np.log1p(-ranks)[:, None] * scale  # exponential, with mean 1, 2, ...
        released = clipper.initial(sizes)
        for t in range(300):
            context = ClipContext(t, 300, 0.0, sizes, released)
            counts = clipper.counts(np, norms, np.ones(records, dtype=bool), context)
            released = clipper.advanced(context, counts, float(records))
        np.testing.assert_allclose(
            released["clip_norms"],
            -math.log1p(-gamma) * scale,
            rtol=0.02,
            err_msg=f"{name}: not the {gamma}-quantile",
        )


def check_range(name: str) -> None:
    """|log(C_{t+1} / C_t)| <= eta whatever is released, and thresholds stay in [min_clip_norm, max_clip_norm]."""
    for low in (
        0.02,
        0.5,
        1.0,
    ):  # 1 / sqrt(L), where the thresholds of several tensors start, may be below it
        _check_range(name, low)


def _check_range(name: str, low: float) -> None:
    eta, high = 0.6, 5.0
    clipper: Any = make(spec_of(name, rate=eta, min_clip_norm=low, max_clip_norm=high))
    sizes = SIZES if clipper.per_group else (1,)
    rng = np.random.default_rng(0)
    for push in (-1e9, -40.0, 0.0, 40.0, 1e9):
        released = clipper.initial(sizes)
        for t in range(20):
            before = released["clip_norms"]
            noised = push + rng.standard_normal(len(sizes))
            released = clipper.advanced(ClipContext(t, 20, 0.0, sizes, released), noised, 12.0)
            moved = np.abs(np.log(released["clip_norms"] / before))
            assert moved.max() <= eta * (1 + 1e-12), f"{name}: a threshold moved by exp({moved.max()})"
            inside = (released["clip_norms"] >= low) & (released["clip_norms"] <= high)
            assert inside.all(), f"{name}: thresholds left their range: {released['clip_norms']}"


def check_resume(name: str) -> None:
    """A run that is stopped and loaded goes on to the bit, thresholds included."""
    options: dict[str, Any] = {"clipping": spec_of(name, rate=1), "clip_norm": 0.2, "steps": 12}
    whole, parts = small_trainer(**options), small_trainer(**options)
    for _ in range(12):
        whole.advance()
    for _ in range(6):
        parts.advance()
    other = small_trainer(seed=5, **options)
    other.load_state({key: value.copy() for key, value in parts.state().items()})
    for _ in range(6):
        other.advance()
    np.testing.assert_array_equal(
        thresholds(whole), thresholds(other), f"{name}: other thresholds after a resume"
    )
    np.testing.assert_array_equal(whole.theta, other.theta, f"{name}: other weights after a resume")


def check_chunks(name: str) -> None:
    """Physical chunks change rounding only: thresholds and weights."""
    ends = []
    for chunk in (1, 5, 60):
        trainer = small_trainer(clipping=spec_of(name, rate=0.5), chunk=chunk, steps=10)
        for _ in range(10):
            trainer.advance()
        ends.append((thresholds(trainer), trainer.theta))
    for limits, theta in ends[1:]:
        np.testing.assert_allclose(limits, ends[0][0], rtol=1e-9, err_msg=f"{name}: chunks change thresholds")
        np.testing.assert_allclose(theta, ends[0][1], rtol=1e-8, err_msg=f"{name}: chunks change the weights")
