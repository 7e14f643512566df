"""P1 to P11 for every registered clipping rule: registering one brings these tests."""

from __future__ import annotations

import math

import clipper_checks as checks
import numpy as np
import pytest
from clipper_checks import LAYERS, NAMES, PROPERTIES, SPECS, make
from helpers import small_trainer
from hypothesis import given, settings
from hypothesis import strategies as st
from strict_backend import strict_backend

from refdp.accounting import Schedule
from refdp.clippers import ClipContext
from refdp.errors import RefDPError

every_rule = pytest.mark.parametrize("spec", SPECS)
every_name = pytest.mark.parametrize("name", NAMES)
dtypes = st.sampled_from([np.float32, np.float64])
mixtures = {
    "seed": st.integers(0, 2**32),
    "exponents": st.lists(st.floats(-30, 29), min_size=1, max_size=4),
    "clip_exponent": st.floats(-28, 28),
    "size": st.integers(1, 60),
    "step": st.integers(0, 8),
    "dtype": dtypes,
}


@every_rule
@given(**mixtures)
def test_a_contribution_is_at_most_k_exactly(
    spec: str, seed: int, exponents: list[float], clip_exponent: float, size: int, step: int, dtype: type
) -> None:
    clipper = make(spec, 10.0**clip_exponent)
    rows = checks.gradients(seed, exponents, size + LAYERS * clipper.per_group, dtype, count=3)
    checks.assert_bounded(clipper, rows, step)


@every_rule
@settings(max_examples=8)
@given(**mixtures)
def test_a_contribution_is_at_most_k_on_the_strict_backend(
    spec: str, seed: int, exponents: list[float], clip_exponent: float, size: int, step: int, dtype: type
) -> None:
    backend = strict_backend()
    clipper = make(spec, 10.0**clip_exponent)
    rows = checks.gradients(seed, exponents, size + LAYERS * clipper.per_group, dtype, count=1)
    checks.assert_bounded(clipper, rows, step, backend=backend)
    np.testing.assert_allclose(  # BLAS may fuse what a loop does not
        checks.summed(clipper, rows, step, backend=backend, margin=1e-6),
        checks.summed(clipper, rows, step, margin=1e-6),
        rtol=1e-5,
        atol=1e-5 * clipper.bound(checks.context_of(clipper, step)),
    )


@every_rule
def test_contributions_around_the_clip_norm(spec: str) -> None:
    checks.check_bound(spec)


@every_rule
def test_k_is_needed(spec: str) -> None:
    checks.check_tight(spec)


@every_rule
@pytest.mark.parametrize("clip_norm", [1e-30, 1.0, 1e29])
def test_scales_at_the_ends_of_float64(spec: str, clip_norm: float) -> None:
    checks.check_scales(spec, clip_norm)


@every_rule
def test_norms_whose_squares_underflow_stay_bounded(spec: str) -> None:
    checks.check_underflow(spec)


@every_rule
def test_rows_are_independent(spec: str) -> None:
    checks.check_row_independence(spec)


@every_rule
def test_layers_may_be_permuted(spec: str) -> None:
    if "bounds=1/" in spec:
        pytest.skip("its thresholds are given tensor by tensor")
    checks.check_layer_permutation(spec)


@every_rule
def test_a_batch_may_be_split(spec: str) -> None:
    checks.check_batch_split(spec)


@every_rule
def test_neighbouring_sums_differ_by_at_most_the_sensitivity(spec: str) -> None:
    checks.check_neighbouring_sums(spec)


@every_rule
def test_nan_records_contribute_nothing(spec: str) -> None:
    checks.check_nan_records(spec)


@every_name
@pytest.mark.parametrize("which", PROPERTIES)
def test_declared_properties(name: str, which: str) -> None:
    checks.check_property(name, which)


@every_name
@pytest.mark.parametrize("which", PROPERTIES)
def test_a_false_declaration_is_caught(name: str, which: str) -> None:
    with pytest.raises(AssertionError, match=which):
        checks.check_property(name, which, declared=not getattr(make(name), which))


def test_the_relative_form_is_homogeneous() -> None:
    absolute, relative = make("auto-s"), make("auto-s:relative=true")
    assert absolute.scales(np, np.ones((1, 1)), ClipContext(0, 1, 0.0)) == pytest.approx(1 / 1.01)
    for c in (1e-6, 1e6):
        other = make("auto-s:relative=true", c)
        norms = checks.norms_of(relative)
        expected = relative.scales(np, norms, ClipContext(0, 1, 0.0))
        np.testing.assert_allclose(other.scales(np, c * norms, ClipContext(0, 1, 0.0)), expected, rtol=1e-12)


@every_rule
def test_a_step_of_the_engine(spec: str) -> None:
    """In a run: the groups are the model's tensors, chunks change rounding only, the noise is that of K."""
    multiplier = 1.7
    sums = []
    spec = spec.replace("1/2/0.5/3/1/1e-3", "1/2/0.5/3")  # the model has four tensors
    for chunk in (60, 7):
        trainer = small_trainer(
            hidden=60,
            chunk=chunk,
            clipping=spec,
            clip_norm=0.05,
            schedule=Schedule("constant", 9, multiplier),
        )
        everyone = np.arange(12)
        sums.append(trainer.summed_gradient(everyone))
        bound = trainer.plan.clipper.bound(trainer.context)
        for left_out in everyone[:4]:
            moved = np.linalg.norm(sums[-1] - trainer.summed_gradient(np.delete(everyone, left_out)))
            assert moved <= bound * (1 + 1e-9)
    np.testing.assert_allclose(sums[0], sums[1], rtol=0, atol=1e-12)
    stds = multiplier * np.repeat(trainer.plan.clipper.noise_scales(trainer.context), trainer.plan.sizes)
    batch = trainer.plan.sampler.batch(0, trainer.streams)
    clean, before = trainer.summed_gradient(batch.indices), trainer.theta.copy()
    trainer.advance()
    noise = (before - trainer.theta) * trainer.plan.sampler.batch_size - clean
    assert abs((noise / stds).std() - 1) < 5 / math.sqrt(2 * noise.size)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("auto-s:gamma=0", r"gamma = 0.0: must be in \[1e-30, 1e\+30\]"),
        ("auto-s:gamma=nan", "gamma = nan: must be in"),
        ("auto-s:relative=maybe", "must be true or false"),
        ("auto-v:gamma=1", "unknown parameter 'gamma'"),
        ("nsgd:r=-1", "r = -1.0: must be in"),
        ("psac:r=0", "r = 0.0: must be in"),
        ("psasc:s=1.5", r"s = 1.5: must be in \[1e-30, 1\]"),
        ("psasc:s=0", r"s = 0.0: must be in \[1e-30, 1\]"),
        ("radial-mix:m1=1.2", r"m1 = 1.2: must be in \[0, 1\]"),
        ("radial-mix:m0=-0.1", r"m0 = -0.1: must be in \[0, 1\]"),
        ("radial-mix:gamma=0", "gamma = 0.0: must be in"),
        ("radial-mix:variant=0d", "variant = '0d': must be one of 0b, 0c"),
        ("radial-mix:variant=0c", "epochs = None, variant = '0c': .* write variant=0c,epochs=30"),
        ("radial-mix:epochs=5", "epochs = 5, variant = '0b'"),
        ("radial-mix:variant=0c,epochs=0", "epochs = 0: must be a whole number >= 1"),
        ("global:ratio=0.5", r"ratio = 0.5: must be in \[1, 1e\+30\]"),
    ],
)
def test_parameters_out_of_range_are_refused(spec: str, says: str) -> None:
    with pytest.raises(RefDPError, match=says) as refused:
        make(spec)
    assert "\n" not in str(refused.value)


@every_name
@pytest.mark.parametrize("clip_norm", [0.0, -1.0, math.nan, math.inf, 1e31])
def test_clip_norms_out_of_range_are_refused(name: str, clip_norm: float) -> None:
    with pytest.raises(RefDPError, match="clip_norm"):
        make(name, clip_norm)


def test_a_bound_beyond_float32_is_refused() -> None:
    with pytest.raises(RefDPError, match="clip_norm / s"):
        make("psasc:s=1e-6", 1e25)
