"""The JSON Schemas that ship describe what the commands really write and print."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from refdp.accounting import GaussianEvent, Ledger, Sampling, Schedule
from refdp.cli import run
from refdp.schema import check_schema, validators

FLAGS = ["--sample-rate", "0.1", "--steps", "10"]


@pytest.mark.parametrize("name", sorted(validators()))
def test_each_schema_is_a_schema(name: str) -> None:
    validator = validators()[name]
    type(validator).check_schema(validator.schema)


def test_a_run_directory_and_its_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run"
    options = [
        "train",
        "--dataset",
        "gaussian-clusters",
        "--epochs",
        "1",
        "--target-epsilon",
        "2",
        "--json",
        "--quiet",
    ]
    assert run([*options, "--output", str(path)]) == 0
    check_schema("train", json.loads(capsys.readouterr().out), "answer")
    check_schema("config", json.loads((path / "config.json").read_text()), "config")
    check_schema("ledger", json.loads((path / "ledger.json").read_text()), "ledger")


def test_a_sweep_directory(tmp_path: Path) -> None:
    path = tmp_path / "sweep"
    options = [
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
    ]
    assert run(["sweep", *options, "--output", str(path), "--quiet"]) == 0
    check_schema("sweep-config", json.loads((path / "config.json").read_text()), "config")
    check_schema("sweep-results", json.loads((path / "results.json").read_text()), "results")
    check_schema("sweep-summary", json.loads((path / "summary.json").read_text()), "summary")


def test_answers(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for noise in ("0", "1"):
        assert run(["epsilon", "--noise-multiplier", noise, *FLAGS, "--json"]) == 0
        check_schema("epsilon", json.loads(capsys.readouterr().out), "answer")
    for schedule in ("constant", "cosine:amplitude=0.1"):
        assert run(["calibrate", "--target-epsilon", "3", *FLAGS, "--schedule", schedule, "--json"]) == 0
        check_schema("calibration", json.loads(capsys.readouterr().out), "answer")
    case = {
        **Ledger("zero-out", (GaussianEvent(1.0, Sampling("shuffle", epochs=3)),)).to_json(),
        "epsilon": 1,
    }
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(case)))
    assert run(["epsilon", "--cases", "-"]) == 0
    check_schema("delta", json.loads(capsys.readouterr().out), "answer")


def test_ledgers() -> None:
    schedule = Schedule("cosine", 10, 1.5, {"amplitude": 0.2}, "harmonic")
    events = [
        GaussianEvent(schedule, Sampling("poisson", rate=0.1), 4),
        GaussianEvent(1.0, Sampling("full-batch"), 2),
    ]
    check_schema("ledger", Ledger("add-remove", tuple(events)).to_json(), "ledger")
