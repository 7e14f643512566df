"""The DP-SGD step is what the papers say (properties P1, P4, P5, P11, P12 of flat clipping with Gaussian noise)."""

from __future__ import annotations

import math

import checks
import numpy as np
import pytest
from helpers import small_data, small_plan, small_trainer
from hypothesis import example, given
from hypothesis import strategies as st
from strict_backend import strict_backend

from refdp.backend import numpy_backend
from refdp.clippers import ClipContext, clipped_sum, clippers, rounding_margin
from refdp.errors import RefDPError

magnitudes = st.floats(-30, 30).map(lambda e: 10.0**e)


@given(norm=magnitudes, clip_norm=magnitudes, dtype=st.sampled_from([np.float32, np.float64]))
@example(norm=1e30, clip_norm=1e-10, dtype=np.float32)  # the scale is a subnormal float32
@example(norm=1e30, clip_norm=1e-30, dtype=np.float32)  # the scale underflows float32
@example(norm=1.0, clip_norm=1.0, dtype=np.float32)
def test_a_clipped_contribution_is_at_most_c_exactly(norm: float, clip_norm: float, dtype: type) -> None:
    checks.check_contributions(norm, clip_norm, dtype)


@given(
    exponents=st.lists(st.floats(-30, 30), min_size=1, max_size=6),
    size=st.integers(1, 400),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 2**32),
)
def test_each_row_of_a_mixed_batch_is_bounded(
    exponents: list[float], size: int, dtype: type, seed: int
) -> None:
    """Huge and tiny entries within one record, many records: one row at a time through the same sum."""
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.choice(exponents, size=(8, size))
    rows = (rng.standard_normal((8, size)) * scale).astype(dtype)
    rows[rng.random(rows.shape) < 0.3] = 0
    clipper = clippers.create("flat", clip_norm=0.7)
    context = ClipContext(0, 1, rounding_margin(dtype))
    for row in rows:
        got = clipped_sum(numpy_backend(), clipper, row[None].copy(), [slice(0, size)], context)
        assert math.hypot(*got.astype(float)) <= 0.7


def test_noise_has_the_declared_scale_on_the_sum() -> None:
    checks.check_noise()


def test_the_delivered_noise_is_the_declared_schedule() -> None:
    checks.check_delivered_schedule()


def test_neighbouring_sums_differ_by_at_most_the_sensitivity() -> None:
    checks.check_neighbouring_sums()


def test_an_empty_batch_is_pure_noise() -> None:
    checks.check_empty_batches()


def test_the_divisor_is_public() -> None:
    checks.check_divisor()


def test_nan_records_contribute_nothing() -> None:
    checks.check_nan_records()


@pytest.mark.parametrize("chunk", [1, 2, 5, 60])
def test_physical_chunks_change_rounding_only(chunk: int) -> None:
    one, other = small_trainer(chunk=60), small_trainer(chunk=chunk)
    for _ in range(10):
        one.advance()
        other.advance()
    np.testing.assert_allclose(one.theta, other.theta, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("sampling", ["poisson", "shuffle", "fixed-order"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_whole_training_step_on_the_strict_backend(sampling: str, dtype: type) -> None:
    """The same code on arrays that refuse to mix with numpy's or to convert silently, as cupy's do."""
    backend = strict_backend(forbid_reads=False)
    options = {"sampling": sampling, "dtype": dtype, "optimizer": "sgd:momentum=0.9", "chunk": 5}
    strict, plain = small_trainer(backend=backend, **options), small_trainer(**options)
    for _ in range(6):
        strict.advance()
        plain.advance()
    assert backend.xp.reads == 0, "a step read values back to the host"
    np.testing.assert_allclose(
        backend.to_host(strict.theta), plain.theta, rtol=1e-5 if dtype == np.float32 else 1e-12
    )
    assert strict.accuracy() == plain.accuracy()


def test_a_nan_record_on_the_strict_backend() -> None:
    backend = strict_backend()
    rows = np.ones((3, 4))
    rows[1, 2] = math.nan
    clipper = clippers.create("flat", clip_norm=1.0)
    got = clipped_sum(backend, clipper, backend.asarray(rows), [slice(0, 4)], ClipContext(0, 1, 0.0))
    np.testing.assert_allclose(backend.to_host(got), np.full(4, 2 * 0.5))


def test_a_row_does_not_depend_on_other_rows() -> None:
    clipper = clippers.create("flat", clip_norm=1.0)
    norms = np.array([[0.5], [3.0], [1e9]])
    changed = np.array([[0.5], [1e-9], [1e9]])
    context = ClipContext(0, 1, 0.0)
    a, b = clipper.scales(np, norms, context), clipper.scales(np, changed, context)
    np.testing.assert_array_equal(a[[0, 2]], b[[0, 2]])


def test_resuming_is_exact_to_the_bit() -> None:
    options = {"optimizer": "sgd:momentum=0.9", "lr_schedule": "cosine", "dtype": np.float32}
    whole, first, second = (small_trainer(**options) for _ in range(3))
    for _ in range(20):
        whole.advance()
    for _ in range(9):
        first.advance()
    second.load_state(first.state())
    while second.step < 20:
        second.advance()
    np.testing.assert_array_equal(whole.theta, second.theta)


def test_streams_of_steps_and_purposes_differ() -> None:
    from refdp.rng import Streams

    streams = Streams.from_seed(0)
    words = [streams.init().integers(2**62)]
    words += [streams.sampling(t).integers(2**62) for t in range(50)]
    words += [int(streams.noise(t).generate_state(1, np.uint64)[0]) for t in range(50)]
    words += [Streams.from_seed(1).sampling(t).integers(2**62) for t in range(50)]
    assert len(set(words)) == len(words)
    assert Streams.from_seed(None).root != Streams.from_seed(None).root


def test_a_finished_plan_takes_no_further_step() -> None:
    trainer = small_trainer(steps=1)
    trainer.advance()
    with pytest.raises(RefDPError, match="all were taken"):
        trainer.advance()


def test_a_baseline_neither_clips_nor_adds_noise() -> None:
    trainer = small_trainer(private=False, sampling="fixed-order", batch_size=60)
    before = trainer.theta.copy()
    rows = np.empty((60, trainer.theta.size))
    trainer.plan.network.per_sample_gradients(
        np, before, trainer.data.train.x.astype(float), trainer.data.train.y, rows
    )
    trainer.advance()
    np.testing.assert_allclose(before - trainer.theta, rows.mean(axis=0), rtol=1e-9, atol=1e-12)
    with pytest.raises(RefDPError, match="has no ledger"):
        trainer.plan.ledger()


def test_the_plan_accounts_what_its_sampler_does() -> None:
    data = small_data()
    poisson = small_plan(data, sampling="poisson", steps=20)
    shuffled = small_plan(data, sampling="shuffle", steps=20)
    fixed = small_plan(data, sampling="fixed-order", steps=20)
    assert poisson.ledger().events[0].sampling.rate == 12 / 60
    assert shuffled.ledger().events[0].sampling.epochs == fixed.ledger().events[0].sampling.epochs == 4
    assert poisson.epsilon().upper < shuffled.epsilon().upper == fixed.epsilon().upper
    assert shuffled.epsilon().lower is None
    assert poisson.epsilon(0).upper == 0.0
    assert [poisson.epsilon(t).upper for t in (1, 5, 20)] == sorted(
        poisson.epsilon(t).upper for t in (1, 5, 20)
    )
