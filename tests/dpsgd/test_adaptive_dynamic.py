"""Dynamic DP-SGD (Du et al. 2021): the clip norm and the noise multiplier of every step, delivered and charged."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from adaptive_checks import BATCH, expected_sums, spec_of
from helpers import small_data, small_plan, small_trainer

from refdp.accounting import GaussianEvent, Ledger, Sampling, Schedule, epsilon
from refdp.cli import run
from refdp.clippers import ClipContext, clippers
from refdp.errors import RefDPError

PARAMETERS = ((2.0, 1.5), (0.25, 3.0), (4.0, 0.5))  # (rho_c, rho_mu)
STEPS, C, SCALE = 12, 0.4, 1.7


def check_dynamic(name: str) -> None:
    """Step t is clipped to C rho_c^(-t / T), with noise of multiplier scale rho_mu^(-(t + 1/2) / T) times that C_t."""
    for rho_c, rho_mu in PARAMETERS:
        spec = spec_of(name, rho_c=rho_c, rho_mu=rho_mu)
        for scale in (1e-7, SCALE):
            trainer = small_trainer(
                clipping=spec, clip_norm=C, steps=STEPS, noise_multiplier=scale, hidden=40
            )
            for t in range(STEPS):
                limit = C * rho_c ** (-t / STEPS)
                indices = trainer.plan.sampler.batch(t, trainer.streams).indices
                clean, _ = expected_sums(trainer, indices, np.array([limit]))
                before = trainer.theta.copy()
                trainer.advance()
                noise = (before - trainer.theta) * BATCH - clean
                z = scale * rho_mu ** (-(t + 0.5) / STEPS)
                assert float(trainer.noise_multipliers[t]) == pytest.approx(z, rel=1e-12), (
                    f"{name}: another noise multiplier at step {t}"
                )
                off = float(np.std(noise)) / (z * limit)
                if scale < 1e-6:
                    assert np.abs(noise).max() < 1e-5, f"{name}: not clipped to C_t at step {t}"
                else:
                    room = 6 / math.sqrt(2 * noise.size)
                    assert abs(off - 1) < room, f"{name}: the noise of step {t} is off by {off:.3f}"


def test_every_step_is_the_formula() -> None:
    check_dynamic("dynamic")


@pytest.mark.parametrize(("rho_c", "rho_mu"), PARAMETERS)
def test_the_noise_is_charged_step_by_step_and_the_clip_norm_is_free(rho_c: float, rho_mu: float) -> None:
    plan = small_plan(
        small_data(),
        clipping=spec_of("dynamic", rho_c=rho_c, rho_mu=rho_mu),
        steps=STEPS,
        noise_multiplier=SCALE,
    )
    one_by_one = tuple(
        GaussianEvent(SCALE * rho_mu ** (-(t + 0.5) / STEPS), Sampling("poisson", rate=0.2))
        for t in range(STEPS)
    )
    expected = epsilon(Ledger("add-remove", one_by_one), plan.delta).upper
    assert plan.epsilon().upper == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("rho_c", "rho_mu"), PARAMETERS)
def test_k_is_the_clip_norm_of_the_step(rho_c: float, rho_mu: float) -> None:
    clipper = clippers.create(spec_of("dynamic", rho_c=rho_c, rho_mu=rho_mu), clip_norm=C)
    for t in range(STEPS):
        context = ClipContext(t, STEPS, 0.0)
        assert clipper.bound(context) == pytest.approx(C * rho_c ** (-t / STEPS), rel=1e-14)
        assert clipper.noise_scales(context).tolist() == [clipper.bound(context)]
        assert clipper.sensitivity("replace-one", context) == 2 * clipper.bound(context)


def test_another_schedule_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clipper = clippers.create("dynamic", clip_norm=1.0)
    own = clipper.noise_schedule(Schedule("constant", STEPS, SCALE))
    assert (own.steps, own.scale) == (STEPS, SCALE)
    assert clipper.noise_schedule(own) == own
    others = [
        Schedule("cosine", STEPS, 1.0, {"amplitude": 0.5}),
        Schedule("exponential", STEPS, 1.0, {"start": 1.0, "end": 0.5}),
    ]
    for other in others:
        with pytest.raises(RefDPError, match="brings its own noise schedule"):
            clipper.noise_schedule(other)
    options = ["--dataset", "gaussian-clusters:n_samples=50", "--epochs", "1", "--noise-multiplier", "1"]
    options += ["--batch-size", "20", "--clipping", "dynamic", "--schedule", "cosine:amplitude=0.5"]
    assert run(["train", *options, "--output", str(tmp_path / "run")]) == 2
    assert "leave --schedule out" in capsys.readouterr().err
