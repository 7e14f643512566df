"""s0's mechanisms under its own interface: clipping, noise, steps. Each check is broken on purpose elsewhere."""

from __future__ import annotations

import itertools
import math
import warnings
from typing import Any

import numpy as np
import pytest
from clipper_checks import gradients
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from refdp.dpmechanism import (
    Mechanism,
    NoiseMultiplierWarning,
    RadialMix0bMechanism,
    RadialMix0cMechanism,
    WaterFillingMechanism,
)
from refdp.dpmechanism import base as base_module
from refdp.errors import BudgetError

CLASSES = (WaterFillingMechanism, RadialMix0bMechanism, RadialMix0cMechanism)
SHAPES = ((2, 3), (), (5,), (0,), (4, 1, 2))
SIZE = 20
C, BATCH, STEPS = 0.7, 8, 15  # a batch size by which float division is exact
PLACES = (0, 7, 14)


def make(cls: type[Mechanism] = WaterFillingMechanism, **changed: Any) -> Mechanism:
    """A run of three epochs of five steps; what it says of too small a multiplier is not heard."""
    given = {"max_grad_norm": C, "noise_multiplier": 0.1, "n_params": SIZE, "dataset_size": 47}
    given |= {"batch_size": BATCH, "epochs": 3, "target_epsilon": 3.0, "target_delta": 1e-3}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoiseMultiplierWarning)
        return cls(**(given | changed))  # type: ignore[arg-type]


def tensors(rows: np.ndarray) -> list[np.ndarray]:
    """[B, SIZE] as per-sample gradients of the SHAPES."""
    ends = np.cumsum([0, *(math.prod(shape) for shape in SHAPES)])
    spans = itertools.pairwise(ends)
    return [rows[:, a:b].reshape(len(rows), *shape) for (a, b), shape in zip(spans, SHAPES, strict=True)]


def flat(released: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([one.ravel() for one in released]).astype(float)


class Silent:
    """A generator of no noise."""

    def standard_normal(self, size: int) -> np.ndarray:
        return np.zeros(size)


def release(m: Mechanism, rows: np.ndarray, step: int = 0) -> np.ndarray:
    """The released sum of one step, as if it were the first of a run: float64 [SIZE]."""
    m._next = 0
    return flat(m.clip_and_noise(tensors(rows), step, step // 5)) * BATCH


def clean(cls: type[Mechanism], rows: np.ndarray, step: int = 0, **changed: Any) -> np.ndarray:
    """The same without noise."""
    m = make(cls, **changed)
    m._rng = Silent()  # type: ignore[assignment]
    return release(m, rows, step)


def expected_sigma(
    m: Mechanism, cls: type[Mechanism], step: int, steps: int = STEPS, epochs: int = 3
) -> float:
    """s0's schedule, written once more."""
    a = 0.25 if cls is WaterFillingMechanism else 0.1 + 0.15 * min(1, epochs / 30)
    ratios = [1 + a * math.cos(math.pi * (t + 0.5) / steps) for t in range(steps)]
    return m.noise_multiplier * ratios[step] * math.sqrt(sum(r**-2 for r in ratios) / steps)


def check_contribution(cls: type[Mechanism], seeds: range = range(4)) -> None:
    """G1: the float64 norm of what one record adds is at most C, exactly."""
    for seed, dtype, step in itertools.product(seeds, (np.float32, np.float64), PLACES):
        spread = [-3.0, 0.0, 3.0, 6.0] if seed % 2 else [-25.0, -1.0, 0.0, 15.0]
        m = make(cls)
        m._rng = Silent()  # type: ignore[assignment]
        for row in gradients(seed, spread, SIZE, dtype, count=4):
            norm = math.hypot(*release(m, row[None], step))
            assert norm <= C, f"a record contributes {norm / C!r} C"


def check_neighbours(cls: type[Mechanism]) -> None:
    """G1 as an attack: a record removed moves the sum by at most C."""
    rng = np.random.default_rng(0)
    for _ in range(10):
        rows = rng.standard_normal((5, SIZE)) * 10.0 ** rng.uniform(-3, 4, (5, 1))
        whole = clean(cls, rows)
        for i in range(5):
            moved = np.linalg.norm(whole - clean(cls, np.delete(rows, i, axis=0)))
            assert moved <= C * (1 + 1e-12), f"removing a record moves the sum by {moved / C} C"


def check_noise(cls: type[Mechanism], records: int = 3, draws: int = 400) -> None:
    """G2: at the first, middle and last step each tensor's noise has variance (sigma_t C)^2, and is Gaussian."""
    rows = np.random.default_rng(1).standard_normal((records, SIZE))
    for step, dtype in itertools.product(PLACES, (np.float32, np.float64)):
        m = make(cls)
        sigma = expected_sigma(m, cls, step)
        assert m.get_effective_sigma(step, step // 5) == pytest.approx(sigma, rel=1e-12)
        assert m.get_sensitivity(step, step // 5) == C
        without = clean(cls, rows.astype(dtype), step)
        noise = np.array([release(m, rows.astype(dtype), step) - without for _ in range(draws)]) / (sigma * C)
        start = 0
        for size in (math.prod(shape) for shape in SHAPES):
            if size:
                total, freedom = float((noise[:, start : start + size] ** 2).sum()), draws * size
                law = stats.chi2(freedom)
                assert min(law.cdf(total), law.sf(total)) > 1e-7, (
                    f"noise is {math.sqrt(total / freedom)} times"
                )
            start += size
        assert stats.kstest(noise.ravel(), "norm").pvalue > 1e-7, "noise is not Gaussian"


def check_independence(cls: type[Mechanism], runs: int = 600) -> None:
    """G2: noise of different steps, tensors, coordinates and runs is uncorrelated."""
    rows, found = np.zeros((2, SIZE)), []
    for _ in range(runs):
        m = make(cls)
        found.append([flat(m.clip_and_noise(tensors(rows), step, step // 5)) for step in (0, 1, 2, 9)])
    noise = np.array(found).reshape(runs, -1)
    assert len(np.unique(noise[:, 0])) == runs, "runs have noise in common"
    r = np.triu(np.corrcoef(noise.T), 1)
    assert np.abs(r).max() < 7 / math.sqrt(runs), f"noise is correlated: {np.abs(r).max()}"


def check_unusable(cls: type[Mechanism]) -> None:
    """G3: a record with NaN or inf is as one of zeros."""
    rows = np.random.default_rng(2).standard_normal((4, SIZE))
    for poison in (math.nan, math.inf, -math.inf, 1e200):
        bad, none = rows.copy(), rows.copy()
        bad[1, 3], none[1] = poison, 0.0
        got = clean(cls, bad)
        assert np.isfinite(got).all(), "a record makes the release not finite"
        assert np.array_equal(got, clean(cls, none)), "an unusable record contributes"
    assert not clean(cls, np.full((2, SIZE), math.nan)).any()


def check_divisor(cls: type[Mechanism]) -> None:
    """G6: the same mean however many records come beside."""
    rows = np.random.default_rng(3).standard_normal((2, SIZE)) / 100
    more = np.concatenate([rows, np.zeros((30, SIZE))])
    np.testing.assert_allclose(clean(cls, rows), clean(cls, more), rtol=1e-13, err_msg="the divisor changes")


def check_steps(cls: type[Mechanism]) -> None:
    """G5: each planned step once; a refusal draws nothing and spends nothing."""
    rows = np.zeros((1, SIZE))
    for sampling in ("shuffle", "poisson"):
        m = make(cls, sampling=sampling)
        for step in range(STEPS):
            m.clip_and_noise(tensors(rows), step, step // 5)
            state = m._rng.bit_generator.state
            for refused in {0, step, STEPS, STEPS + 1, 10**9}:
                with pytest.raises(BudgetError) as error:
                    m.clip_and_noise(tensors(rows), refused, refused // 5)
                assert "\n" not in str(error.value)
            assert m._rng.bit_generator.state == state, "a refused step draws noise"


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize(
    "check",
    [check_contribution, check_neighbours, check_noise, check_independence, check_unusable, check_divisor],
)
def test_guarantee(check: Any, cls: type[Mechanism]) -> None:
    check(cls)


@pytest.mark.parametrize("cls", CLASSES)
def test_an_empty_batch_is_pure_noise(cls: type[Mechanism]) -> None:
    check_noise(cls, records=0)


def test_steps_beyond_the_plan_are_refused() -> None:
    check_steps(WaterFillingMechanism)


@given(seed=st.integers(0, 10**6), exponents=st.lists(st.floats(-30, 30), min_size=1, max_size=4))
def test_one_record_adds_at_most_c(seed: int, exponents: list[float]) -> None:
    for cls in CLASSES:
        m = make(cls)
        m._rng = Silent()  # type: ignore[assignment]
        for row in gradients(seed, exponents, SIZE, np.float64, count=2):
            assert math.hypot(*release(m, row[None], seed % STEPS)) <= C


@settings(max_examples=25)
@given(
    shapes=st.lists(st.lists(st.integers(0, 3), max_size=3), min_size=1, max_size=4),
    records=st.integers(0, 3),
    double=st.integers(0, 15),
)
def test_shapes_and_dtypes_are_kept(shapes: list[list[int]], records: int, double: int) -> None:
    given_arrays = [
        np.ones((records, *shape), np.float64 if double >> i & 1 else np.float32)
        for i, shape in enumerate(shapes)
    ]
    kept = [array.copy() for array in given_arrays]
    for cls in CLASSES:
        out = make(cls).clip_and_noise(given_arrays, 0, 0)
        assert [one.shape for one in out] == [tuple(shape) for shape in shapes]
        assert [one.dtype for one in out] == [one.dtype for one in given_arrays]
        assert all(np.array_equal(a, b) for a, b in zip(given_arrays, kept, strict=True))


def test_the_clipping_is_s0s() -> None:
    """Of one record far beyond C: water-filling caps both tensors alike; radial mix keeps the direction."""
    for cls in CLASSES:
        m = make(cls, max_grad_norm=1.0, batch_size=1, dataset_size=5)
        m._rng = Silent()  # type: ignore[assignment]
        a, b = m.clip_and_noise([np.array([[300.0]]), np.array([[4000.0]])], 0, 0)
        if cls is WaterFillingMechanism:
            assert a == pytest.approx(math.sqrt(0.5))
            assert b == pytest.approx(math.sqrt(0.5))
        else:
            assert a / b == pytest.approx(0.075)
            m0, gamma = (0.15, 0.02) if cls is RadialMix0bMechanism else (0.05 + 0.1 * 0.1, 0.03 - 0.01 * 0.1)
            n = math.hypot(300.0, 4000.0)
            assert b == pytest.approx(4000 * ((1 - m0) / n + m0 / (n + gamma)), rel=1e-12)


def test_each_module_has_a_class_of_the_benchmarks_name() -> None:
    for cls in CLASSES:
        assert cls.__name__ == "DPMechanism"
        assert cls.__module__.startswith("refdp.dpmechanism.")
        assert issubclass(cls, base_module.Mechanism)


def test_a_forked_copy_releases_nothing() -> None:
    """It would have the same noise as its parent."""
    mechanism = make()
    mechanism._process += 1  # as if made by another process
    with pytest.raises(BudgetError, match="made in another process"):
        mechanism.clip_and_noise([np.zeros((1, 3))], 0, 0)
