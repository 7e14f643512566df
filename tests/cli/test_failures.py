"""What the system refuses is one line too, and every exit code means what the page says."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest

from refdp.cli import run
from refdp.errors import BudgetError

LEDGER = '{"schema": "refdp-ledger/1", "neighboring": "add-remove", "events": [], "delta": 1e-5}'


def one_line(capsys: pytest.CaptureFixture[str], says: str) -> None:
    error = capsys.readouterr().err
    assert error.startswith("refdp: error: "), error
    assert error.count("\n") == 1
    assert says in error


def test_closed_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", None)
    assert run(["epsilon", "--cases", "-"]) == 2
    one_line(capsys, "standard input is closed")


def test_a_case_of_thousands_of_digits_does_not_lose_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    twice = LEDGER.replace('"delta": 1e-5', '"delta": 1e-5, "delta": 0.5')
    separator = LEDGER.replace("add-remove", "add\u2028remove")
    text = "\n".join([LEDGER.replace("1e-5", "1" * 5000), twice, "[" * 100000, separator, LEDGER])
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    assert run(["epsilon", "--cases", "-"]) == 2
    answers = capsys.readouterr().out.splitlines()
    assert [("error" in answer) for answer in answers] == [True, True, True, True, False]


@pytest.mark.parametrize("more", [["--delta", "0.5"], ["--accountant", "rdp"]])
def test_cases_refuse_options_without_effect(more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["epsilon", "--cases", "-", *more]) == 2
    one_line(capsys, "has no effect with --cases")


@pytest.mark.parametrize(
    "flags",
    [
        ["--sampling", "full-batch", "--batch-size", "3", "--dataset-size", "10", "--steps", "2"],
        ["--sampling", "shuffle", "--epochs", "10", "--batch-size", "10"],
        ["--sample-rate", "0.1", "--steps", "0", "--schedule", "cosine:amplitude=7"],
        ["--sample-rate", "0.1", "--steps", "100000000", "--schedule", "cosine:amplitude=0.1"],
    ],
)
def test_flags_are_refused_rather_than_ignored(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["epsilon", "--noise-multiplier", "1", *flags]) == 2
    one_line(capsys, ":")


@pytest.mark.parametrize("command", ["train", "sweep"])
def test_a_full_disk(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    options = {
        "train": ["--dataset", "gaussian-clusters", "--noise-multiplier", "1", "--epochs", "1"],
        "sweep": [
            "--noise-multipliers",
            "1",
            "--clip-norms",
            "1",
            "--seeds",
            "1",
            "--epochs",
            "1",
            "--jobs",
            "1",
        ],
    }
    assert run([command, *options[command], "--output", str(tmp_path / "a"), "--quiet"]) == 2
    one_line(capsys, "No space left on device")


@pytest.mark.parametrize("command", ["train", "sweep"])
def test_a_file_in_place_of_the_directory(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("x")
    options = ["--dataset", "gaussian-clusters", "--epochs", "1"]
    noise = ["--noise-multiplier", "1"] if command == "train" else ["--noise-multipliers", "1"]
    assert run([command, *options, *noise, "--output", str(tmp_path / "file"), "--quiet"]) == 2
    one_line(capsys, "file")


def test_a_model_too_large_for_memory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = [
        "train",
        "--dataset",
        "gaussian-clusters",
        "--noise-multiplier",
        "1",
        "--output",
        str(tmp_path / "a"),
    ]
    assert run([*options, "--model", "mlp:hidden=1000000000000"]) == 2
    one_line(capsys, "memory")
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("more", [["--learning-rate", "1e300"], ["--noise-multiplier", "1e300"]])
def test_quiet_is_quiet_when_weights_overflow(
    more: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["train", "--dataset", "gaussian-clusters", "--epochs", "1", "--noise-multiplier", "1", "--quiet"]
    assert run([*base, *more, "--output", str(tmp_path / "a"), "--json"]) == 0
    assert capsys.readouterr().err == ""


def test_a_budget_that_would_be_exceeded_exits_with_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import refdp.cli.train as train_module

    def exceed(config: Any) -> None:
        raise BudgetError("target_epsilon = 1: would be exceeded")

    monkeypatch.setattr(train_module, "build", exceed)
    options = [
        "train",
        "--dataset",
        "gaussian-clusters",
        "--target-epsilon",
        "1",
        "--output",
        str(tmp_path / "a"),
    ]
    assert run(options) == 3
    one_line(capsys, "would be exceeded")


def test_progress_rounds_epsilon_up() -> None:
    from refdp.cli.progress import describe
    from refdp.training import Progress

    assert "epsilon so far <= 1.00001" in describe(Progress(1, 2, 1, 0.5, 1.000001))


def test_the_statement_repeats_the_data_sets_caveats(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [
        "train",
        "--dataset",
        "gaussian-clusters",
        "--epochs",
        "1",
        "--noise-multiplier",
        "1",
        "--quiet",
    ]
    assert run([*options, "--output", str(tmp_path / "a")]) == 0
    assert "standardised with the un-noised mean" in capsys.readouterr().out


def test_a_sweep_records_each_levels_own_epsilon_seed_and_data(tmp_path: Path) -> None:
    """Each run equals the one made alone from its own configuration."""
    from refdp.accounting import GaussianEvent, Ledger, Sampling, epsilon
    from refdp.sweep.grid import make_grid
    from refdp.sweep.records import read_runs
    from refdp.sweep.runner import run_one

    path = tmp_path / "a"
    options = [
        "--noise-multipliers",
        "1,4",
        "--clip-norms",
        "1",
        "--seeds",
        "1,2",
        "--epochs",
        "3",
        "--jobs",
        "1",
    ]
    assert run(["sweep", *options, "--output", str(path), "--quiet"]) == 0
    grid = make_grid({"noise_multipliers": [1.0, 4.0], "clip_norms": [1.0], "seeds": [1, 2], "epochs": 3})
    alone = {(c.noise_multiplier, c.seed): run_one(c)[0] for c in grid.runs() if c.clipping}
    assert len(set(alone.values())) > 1
    for record in read_runs(path / "runs.jsonl"):
        if record["clipping"] is not None:
            assert record["test_accuracy"] == alone[record["noise_multiplier"], record["seed"]]
            events = (GaussianEvent(record["noise_multiplier"], Sampling("poisson", 64 / 400), 19),)
            assert record["epsilon"]["upper"] == epsilon(Ledger("add-remove", events), 1e-5).upper
    datas = {c.data_seed for c in grid.runs()}
    assert datas == {1, 2}


def test_an_invalid_sweep_exits_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a"
    options = [
        "--noise-multipliers",
        "1",
        "--clip-norms",
        "1",
        "--seeds",
        "1",
        "--epochs",
        "20",
        "--jobs",
        "1",
    ]
    assert run(["sweep", *options, "--output", str(path), "--quiet"]) == 0
    assert run(["sweep", "--validate", str(path)]) == 0
    (path / "heatmap.png").unlink()
    assert run(["sweep", "--validate", str(path)]) == 2
    assert "FAIL  pictures" in capsys.readouterr().out
