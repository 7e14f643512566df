"""Noise and epsilon of each rule come from its own ledger; rules that share one are solved for once."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from refdp.accounting import Bounds, Ledger
from refdp.cli import run
from refdp.clippers import clippers
from refdp.config import build
from refdp.errors import BudgetError, RefDPError
from refdp.plan import Plan
from refdp.sweep.grid import Grid, make_grid
from refdp.sweep.levels import Levels, solve_levels
from refdp.sweep.records import read_runs
from refdp.sweep.validate import validate

SMALL: dict[str, Any] = {"clip_norms": [1.0, 2.0], "seeds": [1, 2], "epochs": 1}


@pytest.fixture
def count_rule(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """psac as a rule that also releases a count at every step, with five times the noise of its sums."""
    plain = Plan.ledger

    def ledger(self: Plan, steps: int | None = None) -> Ledger:
        found = plain(self, steps)
        if self.clipper is not None and self.clipper.name == "psac":
            noisier = dataclasses.replace(self.schedule, scale=5 * self.schedule.scale)
            found += self.sampler.events(noisier, self.steps if steps is None else steps)
        return found

    monkeypatch.setattr(Plan, "ledger", ledger)
    return monkeypatch


def solve(clippings: list[str], **options: Any) -> tuple[Grid, list[Any], dict[Any, Bounds]]:
    grid = make_grid({**SMALL, "clippings": clippings, **options})
    return grid, *solve_levels(grid.runs())


def test_at_one_noise_multiplier_each_rule_has_the_epsilon_of_its_own_ledger(
    count_rule: pytest.MonkeyPatch,
) -> None:
    for order in (["flat", "psac"], ["psac", "flat"]):
        _, _, bounds = solve(order, noise_multipliers=[1.0])
        uppers = {(clipping, norm): found.upper for (clipping, norm, _), found in bounds.items()}
        assert uppers["psac", 1.0] == uppers["psac", 2.0] > uppers["flat", 1.0] == uppers["flat", 2.0]
    count_rule.undo()
    _, _, bounds = solve(["flat", "psac"], noise_multipliers=[1.0])
    assert len({found.upper for found in bounds.values()}) == 1


def test_at_one_target_each_rule_has_the_noise_it_needs(count_rule: pytest.MonkeyPatch) -> None:
    for order in (["flat", "psac"], ["psac", "flat"]):
        _, runs, bounds = solve(order, target_epsilons=[3.0])
        noise = {config.clipping: config.noise_multiplier for config in runs}
        assert noise["psac"] > noise["flat"]
        for config in runs:
            if config.clipping is not None:
                found = bounds[config.clipping, config.clip_norm, config.noise_multiplier]
                assert 0.99 * 3 < found.upper <= 3


def test_rules_that_share_a_ledger_are_solved_for_once(count_rule: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    calibrated, epsilon = Plan.calibrated, Plan.epsilon

    def counted_calibration(self: Plan, target_epsilon: float) -> Plan:
        calls.append("calibrated")
        return calibrated(self, target_epsilon)

    def counted_epsilon(self: Plan, steps: int | None = None) -> Bounds:
        calls.append("epsilon")
        return epsilon(self, steps)

    count_rule.setattr(Plan, "calibrated", counted_calibration)
    count_rule.setattr(Plan, "epsilon", counted_epsilon)
    solve(["flat", "nsgd", "psasc:s=0.5", "psac"], target_epsilons=[1.0, 3.0])
    assert (calls.count("calibrated"), calls.count("epsilon")) == (4, 4)  # two levels, two ledgers


def test_a_rule_whose_ledger_changes_otherwise_with_the_noise_is_solved_for_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Alike at noise scale 1, but psac's noise is the scale's square root."""
    plain = Plan.ledger

    def ledger(self: Plan, steps: int | None = None) -> Ledger:
        if self.clipper is not None and self.clipper.name == "psac":
            schedule = dataclasses.replace(self.schedule, scale=self.schedule.scale**0.5)
            return Ledger(self.neighboring, self.sampler.events(schedule, steps or self.steps))
        return plain(self, steps)

    monkeypatch.setattr(Plan, "ledger", ledger)
    _, runs, _ = solve(["flat", "psac"], target_epsilons=[1.0])
    noise = {config.clipping: config.noise_multiplier for config in runs}
    assert noise["psac"] == pytest.approx(noise["flat"] ** 2, rel=1e-3)


def test_records_summary_resume_and_validation(
    count_rule: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a"
    grid = ["--target-epsilons", "3", "--clip-norms", "1", "--seeds", "1,2", "--epochs", "20"]
    command = ["sweep", "--output", str(path), "--jobs", "1", "--quiet"]
    assert run([*command, *grid, "--clippings", "flat,nsgd,psac"]) == 0
    out = capsys.readouterr().out
    assert out.count("|  target epsilon 3\n") == 1
    assert "psac differs: noise" in out
    whole = read_runs(path / "runs.jsonl")
    own = {(r["clipping"], r["noise_multiplier"], r["epsilon"]["upper"]) for r in whole if r["clip_norm"]}
    assert len(own) == 3
    assert len({noise for _, noise, _ in own}) == 2
    cells = json.loads((path / "summary.json").read_text())["cells"]
    assert {(c["clipping"], c["noise_multiplier"], c["epsilon"]["upper"]) for c in cells} == own
    assert all(check.passed for check in validate(path)), validate(path)

    lines = (path / "runs.jsonl").read_text().splitlines(keepends=True)
    (path / "runs.jsonl").write_text("".join(lines[:4]))
    assert run([*command, "--resume"]) == 0
    assert [{**r, "seconds": 0} for r in read_runs(path / "runs.jsonl")] == [
        {**r, "seconds": 0} for r in whole
    ]

    count_rule.undo()  # now psac's plan says that less was released than the runs were charged for
    failed = {check.name: check.detail for check in validate(path) if not check.passed}
    assert list(failed) == ["epsilon recomputed"]
    assert "psac" in failed["epsilon recomputed"]
    assert "flat" not in failed["epsilon recomputed"]


def test_validation_finds_a_bound_that_is_not_the_ledgers_and_a_target_that_is_exceeded(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a"
    grid = ["--target-epsilons", "3", "--clip-norms", "1", "--seeds", "1", "--epochs", "20"]
    assert run(["sweep", "--output", str(path), "--jobs", "1", "--quiet", *grid]) == 0
    results = json.loads((path / "results.json").read_text())

    def details(change: dict[str, Any]) -> str:
        changed = [{**r, **change} if r["clip_norm"] else r for r in results["runs"]]
        (path / "results.json").write_text(json.dumps({**results, "runs": changed}))
        return next(
            check.detail
            for check in validate(path)
            if check.name == "epsilon recomputed" and not check.passed
        )

    bounds = results["runs"][1]["epsilon"]
    assert "but its ledger gives" in details({"epsilon": {**bounds, "upper": 0.9 * bounds["upper"]}})
    assert "but its ledger gives" in details({"epsilon": {**bounds, "lower": None}})
    assert "exceeds the target 3" in details(
        {"noise_multiplier": 0.9 * results["runs"][1]["noise_multiplier"]}
    )


@pytest.mark.parametrize("schedule", ["constant", "cosine:amplitude=0.5"])
@pytest.mark.parametrize("clipping", [*clippers.names(), "quantile:share=0.1"])
def test_what_is_charged_is_the_ledger_of_the_plan_that_is_run(clipping: str, schedule: str) -> None:
    grid = make_grid({**SMALL, "clippings": [clipping], "noise_multipliers": [3.7], "schedule": schedule})
    config = grid.runs()[-1]
    if (clipping, schedule) == ("dynamic", "cosine:amplitude=0.5"):
        with pytest.raises(RefDPError, match="brings its own noise schedule"):
            solve_levels([config])
        return
    assert Levels().plan(config).with_scale(3.7).ledger() == build(config)[0].ledger()


def test_quantile_needs_more_noise_than_flat_and_shares_nothing_with_it() -> None:
    _, runs, bounds = solve(["flat", "quantile:share=0.1"], target_epsilons=[3.0])
    noise = {config.clipping: config.noise_multiplier for config in runs}
    assert noise["quantile:share=0.1"] == pytest.approx(noise["flat"] / 0.9**0.5, rel=1e-3)
    assert all(found.upper is not None and 2.97 < found.upper <= 3 for found in bounds.values())


def test_a_target_out_of_one_rules_reach_is_refused_with_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--clippings", "flat,quantile:count_noise=0.5", "--target-epsilons", "1", "--epochs", "1"]
    assert run(["sweep", *options, "--output", str(tmp_path / "a")]) == 2
    error = capsys.readouterr().err.strip()
    assert "clipping quantile:count_noise=0.5: target_epsilon = 1.0: out of reach" in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "a").exists()


def test_a_rule_that_is_another_up_to_some_noise_only_keeps_its_target() -> None:
    """quantile's default count noise is B / 20 at small multipliers, as count_noise=10 is throughout; not above."""
    rules = ["quantile", "quantile:count_noise=10"]
    for order in (rules, rules[::-1]):
        _, runs, bounds = solve(order, target_epsilons=[0.6], batch_size=200, epochs=5)
        for config in runs:
            if config.clipping is not None:
                upper = bounds[config.clipping, config.clip_norm, config.noise_multiplier].upper
                assert 0.585 < upper <= 0.6, config.clipping


def test_a_run_above_its_target_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever made its noise too little."""
    scale = Levels.scale
    monkeypatch.setattr(Levels, "scale", lambda self, config: 0.9 * scale(self, config))
    with pytest.raises(BudgetError, match=r"target_epsilon = 3\.0: its run would cost"):
        solve(["flat"], target_epsilons=[3.0])
