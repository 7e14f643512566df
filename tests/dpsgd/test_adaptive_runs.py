"""Q3 and Q4: the order of a step, how thresholds move, and that a run may be cut up, stopped and moved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import adaptive_checks as checks
import numpy as np
import pytest
from adaptive_checks import spec_of, thresholds
from clipper_checks import SIZES, make
from helpers import small_trainer
from hypothesis import given
from hypothesis import strategies as st
from strict_backend import strict_backend

import refdp.training as training
from refdp.cli import run
from refdp.clippers import ClipContext

RULES = ("quantile", "per-layer-quantile")
every_rule = pytest.mark.parametrize("name", RULES)
RUN_CHECKS = (
    checks.check_order,
    checks.check_update,
    checks.check_count_noise,
    checks.check_delivered_noise,
    checks.check_fixed_point,
    checks.check_range,
    checks.check_resume,
    checks.check_chunks,
)


@every_rule
@pytest.mark.parametrize("check", RUN_CHECKS, ids=lambda check: check.__name__)
def test_a_run(name: str, check: Any) -> None:
    check(name)


def check_renormalise(name: str) -> None:
    """sum_l C_l^2 = C^2 after every step, whatever is released, and proportions are those of the update."""
    c, rng = 0.7, np.random.default_rng(1)
    clipper: Any = make(spec_of(name, renormalise="true", rate=1.5), c)
    plain: Any = make(spec_of(name, rate=1.5), c)
    released = clipper.initial(SIZES)
    for t in range(40):
        context = ClipContext(t, 40, 0.0, SIZES, released)
        noised = 12 * rng.standard_normal(len(SIZES))
        expected = plain.advanced(context, noised, 12.0)["clip_norms"]
        released = clipper.advanced(context, noised, 12.0)
        got = released["clip_norms"]
        total = np.sqrt((got**2).sum())
        assert total == pytest.approx(c, rel=1e-12), f"{name}: K is {total / c} C after a step"
        np.testing.assert_allclose(got / got[0], expected / expected[0], rtol=1e-12)
    assert released["clip_norms"].max() > 2 * released["clip_norms"].min()


def test_renormalised_thresholds_keep_c() -> None:
    check_renormalise("per-layer-quantile")


@every_rule
@given(st.integers(0, 2**32), st.floats(0, 10), st.floats(0, 1), st.floats(-20, 20), st.floats(1, 1e6))
def test_no_release_moves_a_threshold_by_more_than_the_rate(
    name: str, seed: int, rate: float, gamma: float, size: float, divisor: float
) -> None:
    clipper: Any = make(spec_of(name, rate=rate, quantile=gamma))
    sizes = SIZES if clipper.per_group else (1,)
    released = clipper.initial(sizes)
    noised = np.random.default_rng(seed).standard_normal(len(sizes)) * 10.0**size
    after = clipper.advanced(ClipContext(0, 1, 0.0, sizes, released), noised, divisor)["clip_norms"]
    assert (np.abs(np.log(after / released["clip_norms"])) <= rate * (1 + 1e-12) + 1e-14).all()


@every_rule
def test_a_smallest_clip_norm_prevents_collapse(name: str) -> None:
    """Where most norms are next to 0, so is the median: C falls without end, unless it may not."""
    for low, end in ((0.05, 0.05), (1e-30, 1e-6)):
        clipper: Any = make(spec_of(name, min_clip_norm=low))
        sizes = SIZES if clipper.per_group else (1,)
        norms = np.full((10, len(sizes)), 1e-9)
        norms[:3] = 1.0
        released = clipper.initial(sizes)
        for t in range(400):
            context = ClipContext(t, 400, 0.0, sizes, released)
            counts = clipper.counts(np, norms, np.ones(10, dtype=bool), context)
            released = clipper.advanced(context, counts, 10.0)
        if low == end:
            assert (released["clip_norms"] == low).all()
        else:
            assert (released["clip_norms"] < end).all()


@every_rule
def test_an_empty_batch_releases_a_noised_count(name: str) -> None:
    trainer = small_trainer(clipping=spec_of(name, count_noise=0.3, rate=1), batch_size=1, steps=30)
    empty = 0
    for t in range(30):
        nobody = not trainer.plan.sampler.batch(t, trainer.streams).indices.size
        before = thresholds(trainer)
        trainer.advance()
        if nobody:  # b~ = 1/2 + noise: as likely above the quantile as below
            empty += 1
            assert (thresholds(trainer) != before).all()
    assert empty > 5


@every_rule
@pytest.mark.parametrize("allocation", ["", "equal"])
def test_the_strict_backend_runs_the_same_steps(name: str, allocation: str) -> None:
    if allocation and name == "quantile":
        pytest.skip("one tensor has nothing to allocate")
    parameters = {"rate": 0.5, **({"allocation": allocation} if allocation else {})}
    ends = []
    for backend in (None, strict_backend()):
        trainer = small_trainer(clipping=spec_of(name, **parameters), backend=backend, chunk=5, steps=8)
        for _ in range(8):
            trainer.advance()
        ends.append((thresholds(trainer), trainer.backend.to_host(trainer.theta)))
    np.testing.assert_allclose(ends[1][0], ends[0][0], rtol=1e-9)
    np.testing.assert_allclose(ends[1][1], ends[0][1], rtol=1e-8)


class Interrupted(Exception):
    """Stands for a crash."""


@every_rule
def test_the_command_line_resumes_to_the_bit(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["train", "--dataset", "gaussian-clusters:n_samples=60", "--epochs", "6", "--batch-size", "12"]
    options += ["--noise-multiplier", "1", "--clipping", spec_of(name, rate=1), "--seed", "4", "--quiet"]
    assert run([*options, "--output", str(tmp_path / "whole")]) == 0
    saved, files = training.save, {}

    def crash(trainer: Any, directory: Any, rows: list[Any]) -> None:
        saved(trainer, directory, rows)
        if trainer.step >= 12:
            raise Interrupted

    monkeypatch.setattr(training, "save", crash)
    with pytest.raises(Interrupted):
        run([*options, "--output", str(tmp_path / "parts")])
    monkeypatch.setattr(training, "save", saved)
    half = json.loads((tmp_path / "parts" / "ledger.json").read_text())
    assert [event["mechanism"] for event in half["events"]] == ["quantile"]
    assert run(["train", "--output", str(tmp_path / "parts"), "--resume", "--quiet"]) == 0
    capsys.readouterr()
    for where in ("whole", "parts"):
        with np.load(tmp_path / where / "checkpoint.npz") as archive:
            files[where] = {key: archive[key] for key in archive.files}
    assert "released/clip_norms" in files["whole"]
    for key, value in files["whole"].items():
        np.testing.assert_array_equal(value, files["parts"][key], key)
