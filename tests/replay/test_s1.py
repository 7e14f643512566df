"""s1's program from numpy alone: its 66 accuracies, identical."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refdp.audit.examples import example_claim
from refdp.cli import run
from refdp.replay import s1
from refdp.replay.published import CLAIMED_EPSILON, published_hits
from refdp.replay.s1 import Run, all_runs, replay, s1_grid
from refdp.replay.torch_generator import TorchGenerator
from refdp.sweep.grid import make_grid
from refdp.sweep.records import read_runs
from refdp.sweep.validate import validate


def identical() -> int:
    """How many of the 66 accuracies are the published ones."""
    hits, _ = replay()
    wanted = published_hits()
    return sum(
        wanted[r.noise_multiplier, r.clip_norm, r.seed] == h for r, h in zip(all_runs(), hits, strict=True)
    )


def test_all_66_accuracies_are_the_published_programs() -> None:
    assert len(published_hits()) == len(set(all_runs())) == 66
    assert identical() == 66


def one_noise_for_all(network: Any, generators: Any) -> np.ndarray:
    drawn = TRUE_NOISE(network, generators)
    return np.broadcast_to(drawn[:1], drawn.shape)


def expected_divisor(summed: np.ndarray, stds: np.ndarray, noise: np.ndarray, size: int) -> np.ndarray:
    return TRUE_MEAN(summed, stds, noise, s1.BATCH)


def noise_not_divided(summed: np.ndarray, stds: np.ndarray, noise: np.ndarray, size: int) -> np.ndarray:
    return TRUE_MEAN(summed, stds * size, noise, size)


def biases_first(network: Any, generators: Any) -> np.ndarray:
    order = (1, 0, 3, 2)
    sizes = [math.prod(network.parameters[s1.TENSORS[i]].shape) for i in order]
    drawn = [[own.normal(size) for size in sizes] for own in generators]
    return np.stack([np.concatenate([values[order.index(i)] for i in range(4)]) for values in drawn])


TRUE_NOISE, TRUE_MEAN = s1.step_noise, s1.noised_mean
FAULTS: dict[str, tuple[object, str, object]] = {
    "the loader draws nothing": (TorchGenerator, "data_loader", lambda self: None),
    "runs of all seeds share their noise": (s1, "step_noise", one_noise_for_all),
    "the noise's tensors in another order": (s1, "step_noise", biases_first),
    "the last batch divided by 64": (s1, "noised_mean", expected_divisor),
    "noise not divided by the batch size": (s1, "noised_mean", noise_not_divided),
    "batches of 100": (s1, "BATCH", 100),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_seeded_fault_is_caught_by_the_66_accuracies(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(*FAULTS[name])
    assert identical() < 60


def test_ghost_norms_and_explicit_gradients_agree() -> None:
    chosen = all_runs()[::5]
    (hits, theta), (other_hits, other) = (replay(chosen, epochs=4, explicit=e) for e in (False, True))
    np.testing.assert_allclose(theta, other, atol=1e-5, rtol=0)
    assert hits == other_hits


def test_a_run_does_not_depend_on_the_others_to_the_bit() -> None:
    chosen = [all_runs()[i] for i in (0, 5, 30, 65)]
    _, together = replay(chosen, epochs=2)
    for r, one in enumerate(chosen):
        _, alone = replay([one], epochs=2)
        assert (alone[0] == together[r]).all()


def test_initial_weights_are_torchs_within_its_bounds() -> None:
    _, theta = replay([Run(1.0, 1.0, 42)], epochs=0)
    assert theta[0, :4] == pytest.approx([0.24176832, 0.26247156, -0.07408346, 0.2904904], abs=1e-7)
    assert abs(theta[0, :704]).max() <= 10**-0.5
    assert abs(theta[0, 704:]).max() <= 0.125


def test_claims_are_those_that_the_audit_examines() -> None:
    for noise_multiplier, epsilon in CLAIMED_EPSILON.items():
        assert example_claim(f"s1-noise-{noise_multiplier:g}").epsilon == pytest.approx(epsilon, rel=1e-9)


def test_the_grid_is_the_sweeps_default_one_in_fixed_order() -> None:
    default = make_grid({"sampling": "fixed-order"})
    assert {**s1_grid().to_json(), "replay": None} == {**default.to_json(), "replay": None}


def test_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    assert run(["sweep", "--replay", "s1", "--output", str(path), "--quiet"]) == 0
    out = capsys.readouterr().out
    assert "66 of 66 accuracies are the published program's" in out
    assert "private towards nobody" in out
    rows = [line.split() for line in out.splitlines()]
    assert ["1", "4.80", "28.3-28.4", "0.813", "±0.081", "0.987", "±0.015", "0.977", "±0.023"] in rows
    assert ["10", "0.872", "1.76-1.77", "0.800", "±0.087", "0.947", "±0.021", "0.627", "±0.081"] in rows
    assert all(check.passed for check in validate(path)), validate(path)
    whole = read_runs(path / "runs.jsonl")
    assert {(r["noise_multiplier"], r["claimed_epsilon"]) for r in whole if r["clip_norm"]} == set(
        CLAIMED_EPSILON.items()
    )

    monkeypatch.setattr("refdp.sweep.pictures.draw_all", lambda *_: [])
    lines = (path / "runs.jsonl").read_text().splitlines(keepends=True)
    (path / "runs.jsonl").write_text("".join(lines[:20]))
    assert run(["sweep", "--resume", "--output", str(path), "--quiet", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["replay"] == {"name": "s1", "compared": 66, "identical": 66}
    again = read_runs(path / "runs.jsonl")
    assert [{**r, "seconds": 0} for r in again] == [{**r, "seconds": 0} for r in whole]


def test_a_replay_with_another_grid_is_not_gone_on_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = {**s1_grid().to_json(), "noise_multipliers": [3.0]}
    (tmp_path / "config.json").write_text(json.dumps(changed))
    assert run(["sweep", "--resume", "--output", str(tmp_path)]) == 2
    assert "config.json: noise_multipliers = [3.0]: s1's is [0.01, " in capsys.readouterr().err


@pytest.mark.parametrize("more", [["--seeds", "1"], ["--sampling", "poisson"], ["--epochs", "3"]])
def test_a_replay_leaves_nothing_to_choose(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    assert run(["sweep", "--replay", "s1", *more, "--output", str(tmp_path / "a")]) == 2
    error = capsys.readouterr().err.strip()
    assert len(error.splitlines()) == 1
    assert f"{more[0]} " in error
    assert "runs a published program as it is; leave it out" in error
    assert not (tmp_path / "a").exists()
